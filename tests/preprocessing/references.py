"""The tensors again, event by event in plain Python: slow, and too plain to be wrong."""

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import PixelMap


def target_pixel(pixel_map: PixelMap, x: int, y: int) -> tuple[int, int] | None:
    """Return (row, column) in the tensor, or None for an event that is outside or cut away."""
    if x >= pixel_map.sensor.width or y >= pixel_map.sensor.height:
        return None
    row, column = int(pixel_map.rows[y]), int(pixel_map.columns[x])
    return None if row < 0 or column < 0 else (row, column)


def landed(events: Events, window: tuple[int, int], pixel_map: PixelMap) -> list[tuple[int, int, int, int]]:
    """Return (t, row, column, polarity) of each event that lands in the tensor."""
    t0, t1 = window
    found = []
    for t, x, y, p in events.to_structured().tolist():
        pixel = target_pixel(pixel_map, x, y)
        if t0 <= t < t1 and pixel is not None:
            found.append((t, *pixel, 1 if p else 0))
    return found


def bin_of(t: int, window: tuple[int, int], bins: int) -> int:
    """Return the time bin of a stamp."""
    return (t - window[0]) * bins // (window[1] - window[0])


def ends_of_bins(window: tuple[int, int], bins: int) -> list[int]:
    """Return the first stamp after each bin, found by trying them."""
    t0, t1 = window
    return [next((t for t in range(t0, t1) if bin_of(t, window, bins) > index), t1) for index in range(bins)]


def histogram_reference(
    events: Events, window: tuple[int, int], bins: int, pixel_map: PixelMap
) -> tuple[NDArray[np.uint8], int]:
    """Return the histogram and the number of events in it."""
    counts = np.zeros((bins, 2, *pixel_map.target), np.int64)
    found = landed(events, window, pixel_map)
    for t, row, column, p in found:
        counts[bin_of(t, window, bins), p, row, column] += 1
    return np.minimum(counts, 255).astype(np.uint8), len(found)


def voxel_reference(
    events: Events, window: tuple[int, int], bins: int, pixel_map: PixelMap
) -> tuple[NDArray[np.float32], int]:
    """Return the voxel grid, summed in float32 in event order, and the number of events in it."""
    t0, t1 = window
    sums = np.zeros((bins, *pixel_map.target), np.float32)
    found = landed(events, window, pixel_map)
    for t, row, column, p in found:
        sign = 1.0 if p else -1.0
        left, remainder = divmod((t - t0) * (bins - 1), t1 - t0)
        fraction = remainder / (t1 - t0)
        sums[left, row, column] += np.float32(sign * (1.0 - fraction))
        if fraction > 0.0:
            sums[left + 1, row, column] += np.float32(sign * fraction)
    return sums, len(found)


def dat_words(events: Events) -> NDArray[np.uint32]:
    """Return the events as DAT records: stamp, then x in bits 0-13, y in 14-27, polarity in 28."""
    words = np.empty((len(events), 2), np.uint32)
    words[:, 0] = events.t
    words[:, 1] = events.x.astype(np.uint32) | events.y.astype(np.uint32) << 14 | events.p.astype(np.uint32) << 28
    return words
