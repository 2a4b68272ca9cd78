"""A recording drawn: which windows, which boxes, which files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet import GEN1, Boxes, Events
from eventdet.drawing import Caption, Style, render_frame
from eventdet.errors import OptionError
from eventdet.formats import Recording, open_recording, write_dat
from eventdet.sinks import Clip, visualize

av = pytest.importorskip("av", reason="the extra video is not installed")

DURATION_US = 500_000
PLAIN = Style(scale=1, show_header=False)
AMBER = (255, 176, 0)


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Half a second at Gen1 size, an event every 100 us, and 2,000 more in 200..250 ms."""
    steady = np.arange(0, DURATION_US, 100)
    burst = np.linspace(200_000, 249_999, 2_000).astype(np.int64)
    t = np.sort(np.concatenate([steady, burst]))
    index = np.arange(len(t))
    events = Events.from_columns(t=t, x=index * 7 % GEN1.width, y=index * 3 % GEN1.height, p=index % 2)
    path = tmp_path / "drive_td.dat"
    write_dat(path, events, GEN1)
    return open_recording(path)


def read_png(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture[..., ::-1], np.uint8)


def has_amber(picture: NDArray[np.uint8]) -> bool:
    return bool(np.any(np.all(picture == AMBER, axis=-1)))


def shown_at(folder: Path) -> list[int]:
    """Return the ends in ms of the 10 ms windows whose picture shows an amber box."""
    return [10 * (k + 1) for k, path in enumerate(sorted(folder.glob("*.png"))) if has_amber(read_png(path))]


def test_single_picture_shows_the_busiest_window(recording: Recording, tmp_path: Path) -> None:
    clip = Clip(window_us=50_000)
    summary = visualize(recording, str(tmp_path / "picture.png"), clip=clip)
    events = recording.slice(200_000, 250_000)
    wanted = render_frame(events, GEN1, caption=Caption("drive_td.dat", 250_000, 50_000, len(events)))
    np.testing.assert_array_equal(read_png(tmp_path / "picture.png"), wanted)
    assert (summary.num_frames, summary.note) == (1, "the window from t = 200000 us, 2500 events")


def test_single_picture_at_a_given_start(recording: Recording, tmp_path: Path) -> None:
    clip = Clip(window_us=50_000, start_us=100_000)
    visualize(recording, str(tmp_path / "picture.png"), clip=clip, style=PLAIN)
    wanted = render_frame(recording.slice(100_000, 150_000), GEN1, style=PLAIN)
    np.testing.assert_array_equal(read_png(tmp_path / "picture.png"), wanted)


@pytest.mark.parametrize("name", ["picture.png", "%03d.png", "clip.mp4", "clip.gif"])
def test_a_span_without_windows_writes_nothing_and_says_so(recording: Recording, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    summary = visualize(recording, str(tmp_path / name), clip=Clip(start_us=100_000, stop_us=100_000))
    assert (summary.num_frames, summary.note) == (0, "there was no picture to write, so no file was written")
    assert (tmp_path / name).read_bytes() == b"old"


@pytest.mark.parametrize("name", ["picture.png", "clip.mp4"])
def test_a_recording_of_a_header_alone_writes_nothing(tmp_path: Path, name: str) -> None:
    write_dat(tmp_path / "empty_td.dat", Events.empty(), GEN1)
    assert visualize(open_recording(tmp_path / "empty_td.dat"), str(tmp_path / name)).num_frames == 0
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("clip", "count"),
    [
        (Clip(window_us=50_000, fps=20), 10),  # 500 ms in steps of 50 ms
        (Clip(window_us=50_000, fps=20, slow=2), 19),  # steps of 25 ms; the 19th window ends at 500 ms
        (Clip(window_us=50_000, fps=20, start_us=100_000, stop_us=200_000), 2),
    ],
)
def test_video_has_a_picture_a_stride(recording: Recording, tmp_path: Path, clip: Clip, count: int) -> None:
    summary = visualize(recording, str(tmp_path / "clip.mp4"), clip=clip, style=Style(scale=1))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert summary.num_frames == len(times) == count
    np.testing.assert_allclose(times, np.arange(count) / 20, atol=1e-6)


def test_numbered_pictures_show_their_windows(recording: Recording, tmp_path: Path) -> None:
    visualize(recording, str(tmp_path / "%d.png"), clip=Clip(window_us=50_000, fps=20), style=PLAIN)
    for number in (0, 4, 9):
        events = recording.slice(number * 50_000, (number + 1) * 50_000)
        np.testing.assert_array_equal(
            read_png(tmp_path / f"{number}.png"), render_frame(events, GEN1, style=PLAIN), err_msg=str(number)
        )


def test_labels_stay_until_their_hold_time_is_over(recording: Recording, tmp_path: Path) -> None:
    labels = Boxes.from_xywh([[50, 50, 80, 80]], t=100_000)
    clip = Clip(window_us=10_000, fps=100)
    visualize(recording, str(tmp_path / "f" / "%03d.png"), labels=labels, clip=clip, style=PLAIN)
    assert shown_at(tmp_path / "f") == list(range(100, 350, 10))


def test_predictions_stay_for_a_window_by_default(recording: Recording, tmp_path: Path) -> None:
    boxes = Boxes.from_xywh([[50, 50, 80, 80]], t=100_000)
    clip = Clip(window_us=10_000, fps=100)
    visualize(recording, str(tmp_path / "f" / "%03d.png"), boxes=boxes, clip=clip, style=PLAIN)
    assert shown_at(tmp_path / "f") == [100]


def test_predictions_stay_for_the_stride_they_were_made_with(recording: Recording, tmp_path: Path) -> None:
    boxes = Boxes.from_xywh([[50, 50, 80, 80]], t=100_000)
    clip = Clip(window_us=10_000, fps=100, hold_boxes_us=50_000)
    visualize(recording, str(tmp_path / "f" / "%03d.png"), boxes=boxes, clip=clip, style=PLAIN)
    assert shown_at(tmp_path / "f") == [100, 110, 120, 130, 140]


@pytest.mark.parametrize(
    ("stamps_ms", "shown_ms"),
    [
        # Nothing was found at 200: the boxes of 150 are gone then.
        ([100, 150, 250], [*range(100, 200, 10), *range(250, 300, 10)]),
        # Stamps of one window are one stamp: the window of 10 ms holds.
        ([100, 100], [100]),
    ],
)
def test_predictions_without_a_header_stay_for_the_distance_of_their_stamps(
    recording: Recording, tmp_path: Path, stamps_ms: list[int], shown_ms: list[int]
) -> None:
    boxes = Boxes.from_xywh([[50, 50, 80, 80]] * len(stamps_ms), t=[1000 * stamp for stamp in stamps_ms])
    clip = Clip(window_us=10_000, fps=100)
    visualize(recording, str(tmp_path / "f" / "%03d.png"), boxes=boxes, clip=clip, style=PLAIN)
    assert shown_at(tmp_path / "f") == shown_ms


def test_predictions_without_a_header_stay_for_a_second_at_most(tmp_path: Path) -> None:
    t = np.arange(0, 2_500_001, 100_000)
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=t, x=t % 304, y=t % 240, p=t % 2), GEN1)
    boxes = Boxes.from_xywh([[50, 50, 80, 80]] * 2, t=[100_000, 2_000_000])
    clip = Clip(window_us=100_000, fps=10)
    visualize(
        open_recording(tmp_path / "a_td.dat"), str(tmp_path / "f" / "%03d.png"), boxes=boxes, clip=clip, style=PLAIN
    )
    pictures = sorted((tmp_path / "f").glob("*.png"))
    # Picture k ends at 100 (k + 1) ms.
    assert [k for k, path in enumerate(pictures) if has_amber(read_png(path))] == [
        *range(10),
        *range(19, len(pictures)),
    ]


def test_newer_boxes_replace_older_ones_in_any_file_order(recording: Recording, tmp_path: Path) -> None:
    # The pedestrian of 130 ms ends the car of 100 ms, although the file names it first.
    boxes = Boxes.from_xywh([[50, 50, 80, 80]] * 2, t=[130_000, 100_000], class_id=[1, 0])
    clip = Clip(window_us=10_000, fps=100, hold_boxes_us=100_000)
    visualize(recording, str(tmp_path / "f" / "%03d.png"), boxes=boxes, clip=clip, style=PLAIN)
    assert shown_at(tmp_path / "f") == [100, 110, 120]


def test_synthetic_recordings_are_marked(recording: Recording, tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    visualize(recording, str(plain))
    visualize(recording, str(marked), clip=Clip(synthetic=True))
    assert not np.array_equal(read_png(plain), read_png(marked))


def test_progress_rises_to_one(recording: Recording, tmp_path: Path) -> None:
    shares: list[float] = []
    clip = Clip(window_us=50_000, fps=20)
    visualize(recording, str(tmp_path / "%d.png"), clip=clip, style=PLAIN, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(("name", "count"), [("clip.mp4", 3), ("%d.png", 3), ("picture.png", 1)])
def test_clip_that_is_stopped_is_whole(recording: Recording, tmp_path: Path, name: str, count: int) -> None:
    asked = iter([False, False, False, True])
    clip = Clip(window_us=50_000, fps=20)
    summary = visualize(
        recording, str(tmp_path / name), clip=clip, style=Style(scale=1), should_stop=lambda: next(asked)
    )
    assert summary.num_frames == count
    if name == "clip.mp4":
        with av.open(str(tmp_path / name)) as container:
            assert len(list(container.decode(video=0))) == 3


def test_repairs_are_counted(tmp_path: Path) -> None:
    t = np.arange(0, 100_000, 1000)
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=t, x=t % 304, y=t % 240, p=t % 2), GEN1)
    with (tmp_path / "a_td.dat").open("ab") as file:
        file.write(b"abc")
    summary = visualize(open_recording(tmp_path / "a_td.dat"), str(tmp_path / "a.png"))
    assert summary.repairs == {"trailing_bytes": 3}


def test_video_is_finalised_when_drawing_fails(recording: Recording, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.25:
            raise KeyboardInterrupt

    clip = Clip(window_us=50_000, fps=20)
    with pytest.raises(KeyboardInterrupt):
        visualize(recording, str(tmp_path / "clip.mp4"), clip=clip, style=Style(scale=1), on_progress=stop)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_us": 0}, "window_us must be > 0, got 0"),
        ({"fps": -1.0}, r"fps must be > 0, got -1\.0"),
        ({"slow": float("nan")}, "slow must be > 0, got nan"),
        ({"fps": 1e6, "slow": 2.0}, r"fps \* slow must be <= 1e6"),
        ({"slow": float("inf")}, r"fps \* slow must be <= 1e6"),
    ],
)
def test_clip_outside_its_range_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Clip(**values)  # type: ignore[arg-type]  # wrong values are the point


def test_unknown_target_is_refused_before_reading(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="output must end in"):
        visualize(recording, str(tmp_path / "clip.webm"))


@pytest.mark.parametrize(
    ("name", "shape", "num_events"),
    [("spinner_evt2_vga.raw", (960, 1280), 539_481), ("driving_evt3_720p.raw", (720, 1280), 219_596)],
)
def test_real_recordings_are_drawn(
    real_data: Path, tmp_path: Path, name: str, shape: tuple[int, int], num_events: int
) -> None:
    recording = open_recording(real_data / name)
    clip = Clip(window_us=100_000, start_us=recording.t_first_us)
    summary = visualize(recording, str(tmp_path / "a.png"), clip=clip, style=Style(show_header=False))
    assert read_png(tmp_path / "a.png").shape == (*shape, 3)
    assert summary.note.endswith(f"{num_events} events")
