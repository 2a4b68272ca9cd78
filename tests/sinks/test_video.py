"""The video of a stream: one picture a window, the clock kept, finalised whatever happens."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet import GEN1
from eventdet.drawing import Caption, render_frame
from eventdet.errors import OptionError
from eventdet.sinks import StreamHeader, WindowResult, open_sink

av = pytest.importorskip("av", reason="the extra video is not installed")


def read_all(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def expected_picture(result: WindowResult) -> NDArray[np.uint8]:
    assert result.events is not None
    caption = Caption("drive_td.dat", result.t_us, 50_000, result.num_events, synthetic=True)
    return render_frame(result.events, GEN1, boxes=result.boxes, caption=caption)


def test_video_shows_every_window(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    with open_sink(str(tmp_path / "clip.mp4"), header=header) as sink:
        for result in results:
            sink.write(result)
    frames = read_all(tmp_path / "clip.mp4")
    assert len(frames) == 5
    for frame, result in zip(frames, results, strict=True):
        wanted = expected_picture(result)
        assert frame.shape == wanted.shape
        # Lossy with halved colour: the mean error stays small, and another window's picture is several times off.
        assert np.mean(np.abs(frame.astype(int) - wanted)) < 3


def test_png_sink_shows_exactly_the_rendered_picture(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    with open_sink(str(tmp_path / "%03d.png"), header=header) as sink:
        sink.write(results[0])
    shown = cv2.imread(str(tmp_path / "000.png"))
    assert shown is not None
    np.testing.assert_array_equal(shown[..., ::-1], expected_picture(results[0]))


def test_video_stands_still_for_dropped_windows(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    with open_sink(str(tmp_path / "%03d.png"), header=header) as sink:
        for result in (results[0], results[1], results[4]):
            sink.write(result)
    data = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert len(data) == 5
    assert data[1] == data[2] == data[3] != data[4]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_video_is_finalised_after_an_exception(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], name: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _write_then_stop(str(tmp_path / name), header, results[:2])
    assert len(read_all(tmp_path / name)) == 2


def test_video_of_a_result_without_events_is_refused(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    with (
        pytest.raises(OptionError, match="window 0 came without its events"),
        open_sink(str(tmp_path / "clip.mp4"), header=header) as sink,
    ):
        sink.write(replace(results[0], events=None))
    assert not (tmp_path / "clip.mp4").exists()


def _write_then_stop(target: str, header: StreamHeader, results: list[WindowResult]) -> None:
    with open_sink(target, header=header) as sink:
        for result in results:
            sink.write(result)
        raise KeyboardInterrupt
