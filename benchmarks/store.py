"""Random reads from a store: ours against the Zarr API, HDF5 in the layouts of the field, and the limit."""

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numcodecs import blosc, zstd
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import write_dat
from eventdet.geometry import GEN1, fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, StoredRecording, convert, open_stored_recording
from eventdet.preprocessing.shard_reader import open_rows

from ._codecs import CHUNK_EVENTS, pack_events, pack_tensor
from ._traffic import traffic
from .rows import BenchmarkRow, compare, import_peer

if TYPE_CHECKING:
    import h5py

__all__ = ["benchmark_store"]

_DURATION_US = 10_000_000
_NUM_EVENTS = 1_200_000
"""The mean rate of Gen1."""

_WINDOW_US = 50_000
_TENSORS = {
    "5 bins, 250 ms": ConvertOptions(Representation("histogram", bins=5), window_us=250_000, stride_us=_WINDOW_US),
    "10 bins, 50 ms": ConvertOptions(Representation("histogram", bins=10), window_us=_WINDOW_US),
}
"""The default of ``eventdet convert``, and what RVT precomputes."""

_WIDE_CHUNK = 1 << 16
"""Events of a chunk where a writer chose; h5py by itself takes about ten thousand of such columns."""

_CLIP_WINDOWS = 21
"""What RVT trains on at once of Gen1."""

_READS = 420
"""In a row, as a loader reads: of a hundred, the first few count that find nothing in the processor's caches."""


def benchmark_store(repeats: int = 5) -> list[BenchmarkRow]:
    """Return the rates of reading windows of events, and tensors, in random order from a warm disk cache.

    Parameters
    ----------
    repeats : int
        The median of this many runs of 420 reads counts; the contenders take turns.

    Returns
    -------
    list of BenchmarkRow
        Windows or tensors per CPU second; a peer's ratio says how many times faster ours is.

    Raises
    ------
    MissingExtraError
        When hdf5plugin is not installed.
    """
    import h5py

    filters = import_peer("hdf5plugin", extra="hdf5")
    packing = filters.Blosc(cname="zstd", clevel=1, shuffle=filters.Blosc.SHUFFLE)
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as name:
        folder = Path(name)
        events = traffic(_NUM_EVENTS, _DURATION_US)
        write_dat(folder / "a_td.dat", events, GEN1)
        recordings = {}
        with h5py.File(folder / "a.h5", "w") as file:
            bits = filters.Blosc(cname="zstd", clevel=1, shuffle=filters.Blosc.BITSHUFFLE)
            _write_events(file, events, {**bits, "chunks": True})
            _write_events(file.create_group("wide"), events, {**packing, "chunks": (_WIDE_CHUNK,)})
            for label, options in _TENSORS.items():
                convert(folder / "a_td.dat", folder / label, options)
                recordings[label] = open_stored_recording(folder / label)
                rows = recordings[label].frames().rows
                tensors = rows.read(0, rows.shape[0])
                file.create_dataset(label, data=tensors, chunks=(1, *rows.shape[1:]), **packing)
        # Its cache would hold this recording whole; reads from hundreds of hours never meet their chunk there.
        with h5py.File(folder / "a.h5", "r", rdcc_nbytes=0) as file:
            measured = _event_rows(recordings["5 bins, 250 ms"], file, repeats=repeats)
            for label, recording in recordings.items():
                measured += _frame_rows(label, recording, file[label], repeats=repeats)
        # Closed by now: HDF5 opens a file faster that the process has open.
        for label, recording in recordings.items():
            measured += _clip_rows(label, recording, folder / "a.h5", repeats=repeats)
        return measured


def _write_events(file: "h5py.Group", events: Events, packing: Any) -> None:
    """Write the events as DSEC's writer does: four columns that grow, and the first event of every millisecond.

    What the columns begin with decides which chunks h5py chooses: 2,048 to 8,192 events.
    """
    stamps = np.arange(int(events.t[-1]) // 1000 + 2) * 1000
    file["ms_to_idx"] = np.searchsorted(events.t, stamps)
    columns: dict[str, NDArray[Any]] = {"t": events.t.astype(np.uint32), "x": events.x, "y": events.y, "p": events.p}
    for name, column in columns.items():
        rows = file.create_dataset(f"events/{name}", (_WIDE_CHUNK,), column.dtype, maxshape=(None,), **packing)
        rows.resize(len(column), axis=0)
        rows[:] = column


def _event_rows(recording: StoredRecording, file: "h5py.File", *, repeats: int) -> list[BenchmarkRow]:
    import zarr

    group = zarr.open_group(recording.path, mode="r")
    starts = np.random.default_rng(2).integers(0, _DURATION_US - _WINDOW_US, _READS).tolist()
    base_us = int(recording.attributes["t_base_us"])
    in_zarr = _EventColumns(group["events/t"], [group["events/word"]], np.asarray(group["index/ms"]), base_us)
    in_hdf5, in_wide = (
        _EventColumns(place["events/t"], [place[f"events/{name}"] for name in "xyp"], place["ms_to_idx"][:], 0)
        for place in (file, file["wide"])
    )
    numbers = {len(columns.window(starts[0])) for columns in (in_zarr, in_hdf5, in_wide)}
    if numbers != {len(recording.events(starts[0], starts[0] + _WINDOW_US))}:
        raise RuntimeError(f"contenders read different windows, of {numbers} events")
    contenders = {
        "50 ms of events, eventdet": (
            _on_each(starts, lambda start: recording.events(start, start + _WINDOW_US)),
            f"{_NUM_EVENTS * _WINDOW_US // _DURATION_US} events on average, {GEN1}, synthetic",
        ),
        "50 ms of events, Zarr API": (
            _on_each(starts, in_zarr.window),
            f"zarr {version('zarr')}, the same arrays, left packed",
        ),
        "50 ms of events, h5py": (
            _on_each(starts, in_hdf5.window),
            f"h5py {version('h5py')}, as DSEC's writer stores: h5py's chunks, blosc zstd, bit shuffle; cache off",
        ),
        "50 ms of events, h5py, wide": (
            _on_each(starts, in_wide.window),
            f"the same columns in chunks of {_WIDE_CHUNK} events, byte shuffle",
        ),
        "50 ms of events, unpacking alone": (
            _unpacking(recording, starts),
            "numcodecs: the chunks that the windows need, whole, in memory",
        ),
    }
    return compare(contenders, work=_READS, unit="/CPU-s", repeats=repeats)


def _on_each(places: list[int], read: Callable[[int], object]) -> Callable[[], None]:
    """Return what reads at every place and keeps nothing, so that memory is as warm for all contenders."""

    def run() -> None:
        for place in places:
            read(place)

    return run


def _unpacking(recording: StoredRecording, starts: list[int]) -> Callable[[], None]:
    """Return what unpacks the chunks that hold the windows, each as often as a window needs it."""
    stamps, words = (_rows(recording, name) for name in ("t", "word"))
    times = stamps + int(recording.attributes["t_base_us"])
    packed: list[bytes] = []
    for start in starts:
        first, stop = np.searchsorted(times, (start, start + _WINDOW_US)).tolist()
        chunks = slice(first // CHUNK_EVENTS * CHUNK_EVENTS, -(-stop // CHUNK_EVENTS) * CHUNK_EVENTS)
        packed += pack_events(stamps[chunks], words[chunks])
    out = np.empty(CHUNK_EVENTS, np.uint32)

    def run() -> None:
        # As the reader has it, and the Zarr API: without the threads of the library.
        blosc.use_threads = False
        for data in packed:
            blosc.decompress(data, out)

    return run


def _rows(recording: StoredRecording, name: str) -> NDArray[np.uint32]:
    return open_rows(recording.path / "events" / name).read(0, recording.num_events)


class _EventColumns:
    """Windows of columns that are sliced like arrays, by the index of milliseconds."""

    def __init__(self, t: Any, others: list[Any], index: NDArray[np.int64], base_us: int) -> None:
        self._t, self._others, self._index, self._base_us = t, others, index, base_us

    def window(self, t0_us: int) -> NDArray[Any]:
        """Return the last column of the window that begins at `t0_us`."""
        first = max(0, t0_us - self._base_us)
        stop = first + _WINDOW_US
        last = len(self._index) - 1
        begin, end = (int(self._index[min(place, last)]) for place in (first // 1000, -(-stop // 1000)))
        low, high = np.searchsorted(self._t[begin:end], (first, stop))
        columns = [column[begin + int(low) : begin + int(high)] for column in self._others]
        return np.asarray(columns[-1])


def _frame_rows(label: str, recording: StoredRecording, dataset: Any, *, repeats: int) -> list[BenchmarkRow]:
    import zarr

    frames = recording.frames()
    array = zarr.open_array(recording.path / "frames" / frames.representation.name, mode="r")
    out, source = (np.ones((1, *frames.rows.shape[1:]), np.uint8) for _ in range(2))
    pixels = fit_pixels(GEN1, GEN1)
    chosen = np.random.default_rng(3).integers(0, len(frames), _READS).tolist()
    packed = {index: pack_tensor(frames[index]) for index in chosen}

    def cut(index: int) -> None:
        window = frames.window(index)
        frames.representation.fill(recording.events(*window), *window, pixels, out[0])

    reads: dict[str, tuple[Callable[[int], object], str]] = {
        "eventdet": (
            lambda index: frames.rows.read(index, index + 1, out),
            f"histogram of {out.nbytes // 1000} kB, zstd 1, crc32c",
        ),
        "cut from the stored events": (cut, "eventdet, without tensors in the store"),
        "Zarr API": (lambda index: array[index], f"zarr {version('zarr')}, the same array"),
        "h5py": (
            lambda index: dataset.read_direct(out[0], index),
            f"h5py {version('h5py')}, as RVT stores: blosc zstd 1, byte shuffle; file open, memory at hand",
        ),
        "unpacking alone": (lambda index: zstd.decompress(packed[index], out), "the limit of the codec"),
        "copy of the tensor": (lambda _: np.copyto(out, source), "the limit: memory to memory"),
    }
    contenders = {f"{label}, {name}": (_on_each(chosen, read), note) for name, (read, note) in reads.items()}
    return compare(contenders, work=_READS, unit="/CPU-s", repeats=repeats)


def _clip_rows(label: str, recording: StoredRecording, path: Path, *, repeats: int) -> list[BenchmarkRow]:
    """Return the rates of reading clips as either loader does; RVT's is ``_get_event_repr_torch``."""
    import h5py

    rows = recording.frames().rows
    starts = np.random.default_rng(4).integers(0, rows.shape[0] - _CLIP_WINDOWS, _READS // _CLIP_WINDOWS).tolist()
    out = np.ones((_CLIP_WINDOWS, *rows.shape[1:]), np.uint8)

    def as_rvt(start: int) -> object:
        with h5py.File(path, "r") as file:
            return file[label][start : start + _CLIP_WINDOWS]

    contenders = {
        f"{label}, clips, eventdet": (
            _on_each(starts, lambda start: rows.read(start, start + _CLIP_WINDOWS, out)),
            f"{_CLIP_WINDOWS} windows in a row, into the memory of a batch",
        ),
        f"{label}, clips, h5py as RVT reads": (
            _on_each(starts, as_rvt),
            "the file opened and an array made for every clip",
        ),
    }
    return compare(contenders, work=len(starts) * _CLIP_WINDOWS, unit="/CPU-s", repeats=repeats)
