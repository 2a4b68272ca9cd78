"""Videos and numbered pictures, read back with independent readers."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.drawing import PALETTES
from eventdet.errors import MissingExtraError, OptionError, OutputError
from eventdet.sinks.frames import open_frame_writer, write_png

av = pytest.importorskip("av", reason="the extra video is not installed")

DARK = PALETTES["dark"]
RATE = Fraction(20)


def pictures(count: int, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """Flat pictures with a moving amber square."""
    made = []
    for index in range(count):
        picture = np.full((height, width, 3), DARK.background, np.uint8)
        picture[8:24, 2 * index : 2 * index + 16] = DARK.class_colour(0)
        made.append(picture)
    return made


def write_all(target: Path, frames: list[NDArray[np.uint8]], rate: Fraction = RATE) -> str:
    writer = open_frame_writer(str(target), rate=rate, palette=DARK)
    for frame in frames:
        writer.write(frame)
    writer.close()
    return writer.note


def read_all(path: Path) -> tuple[list[NDArray[np.uint8]], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [float(frame.time) for frame in frames]


def test_mp4_comes_back_with_count_size_times_and_colours(tmp_path: Path) -> None:
    target = tmp_path / "new" / "clip.mp4"
    assert write_all(target, pictures(12)) == ""
    frames, times = read_all(target)
    assert len(frames) == 12
    assert frames[0].shape == (48, 64, 3)
    np.testing.assert_allclose(times, np.arange(12) / 20, atol=1e-6)
    # Lossy, and 8-bit limited range rounds: a few steps off, never another hue.
    np.testing.assert_allclose(frames[0][40, 50], DARK.background, atol=6)
    np.testing.assert_allclose(frames[0][16, 8], DARK.class_colour(0), atol=8)


def test_mp4_is_what_browsers_play(tmp_path: Path) -> None:
    write_all(tmp_path / "clip.mp4", pictures(2))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index must come first"


def test_mp4_of_odd_size_is_extended_by_one(tmp_path: Path) -> None:
    write_all(tmp_path / "clip.mp4", pictures(2, height=47, width=63))
    assert read_all(tmp_path / "clip.mp4")[0][0].shape == (48, 64, 3)


def test_mp4_at_the_exact_rate_of_a_stride(tmp_path: Path) -> None:
    write_all(tmp_path / "clip.mp4", pictures(4), rate=Fraction(1_000_000, 33_333))
    np.testing.assert_allclose(read_all(tmp_path / "clip.mp4")[1], np.arange(4) * 0.033333, atol=1e-5)


def test_mp4_without_pyav_falls_back_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    note = write_all(tmp_path / "clip.mp4", pictures(6))
    assert "browsers do not play" in note
    assert 'pip install "eventdet[video]"' in note
    capture = cv2.VideoCapture(str(tmp_path / "clip.mp4"))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 6
    found, first = capture.read()
    assert found
    np.testing.assert_allclose(first[40, 50, ::-1], DARK.background, atol=12)
    capture.release()


def test_gif_without_pyav_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingExtraError, match="writing GIF needs the extra 'video'"):
        open_frame_writer(str(tmp_path / "clip.gif"), rate=RATE, palette=DARK)


def test_gif_comes_back_exact(tmp_path: Path) -> None:
    wanted = pictures(8)
    write_all(tmp_path / "clip.gif", wanted)
    found, animation = cv2.imreadanimation(str(tmp_path / "clip.gif"))
    assert found
    assert len(animation.frames) == 8
    assert animation.loop_count == 0, "0 is for ever"
    assert list(animation.durations) == [50] * 8
    for frame, picture in zip(animation.frames, wanted, strict=True):
        np.testing.assert_array_equal(frame[..., 2::-1], picture)


def test_gif_faster_than_its_clock_keeps_the_speed(tmp_path: Path) -> None:
    # 100 pictures a second are one a tick; every second one is left out, 20 ms each.
    write_all(tmp_path / "clip.gif", pictures(10), rate=Fraction(100))
    _, times = read_all(tmp_path / "clip.gif")
    np.testing.assert_allclose(times, [0.0, 0.02, 0.04, 0.06, 0.08])


def test_png_sequence_is_numbered_from_zero_and_exact(tmp_path: Path) -> None:
    wanted = pictures(3)
    write_all(tmp_path / "frames" / "%06d.png", wanted)
    names = sorted(path.name for path in (tmp_path / "frames").iterdir())
    assert names == ["000000.png", "000001.png", "000002.png"]
    for name, picture in zip(names, wanted, strict=True):
        shown = cv2.imread(str(tmp_path / "frames" / name))
        assert shown is not None
        np.testing.assert_array_equal(shown[..., ::-1], picture)


def test_png_without_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="names one picture for many") as caught:
        open_frame_writer(str(tmp_path / "picture.png"), rate=RATE, palette=DARK)
    assert "%06d.png" in caught.value.hint


@pytest.mark.parametrize("name", ["%d_%d.png", "%q.png", "50%.png", "100%%.png"])
def test_png_with_a_broken_number_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="must hold one number field"):
        open_frame_writer(str(tmp_path / name), rate=RATE, palette=DARK)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_video_without_pictures_leaves_no_file(tmp_path: Path, name: str) -> None:
    note = write_all(tmp_path / name, [])
    assert "no file was written" in note
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_video_appears_when_it_is_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    writer = open_frame_writer(str(tmp_path / name), rate=RATE, palette=DARK)
    for picture in pictures(3):
        writer.write(picture)
    assert (tmp_path / name).read_bytes() == b"old"
    writer.close()
    assert len(read_all(tmp_path / name)[0]) == 3
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_video_discarded_leaves_the_earlier_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    writer = open_frame_writer(str(tmp_path / name), rate=RATE, palette=DARK)
    writer.write(pictures(1)[0])
    writer.discard()
    writer.close()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


FULL_DISKS = """
import resource, sys
from fractions import Fraction
import numpy as np
from eventdet.drawing import PALETTES
from eventdet.errors import OutputError
from eventdet.sinks.frames import open_frame_writer

rng = np.random.default_rng(0)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
for limit in (0, 40, 2_000, 8_000, 32_768, 40_000, 100_000):
    writer = open_frame_writer(sys.argv[1], rate=Fraction(20), palette=PALETTES["dark"])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        for _ in range(30):
            writer.write(rng.integers(0, 256, (192, 192, 3), dtype=np.uint8))
        writer.close()
    except OutputError as error:
        writer.close()
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "%03d.png"])
def test_picture_file_that_outgrows_the_disk_is_one_error_a_time(tmp_path: Path, name: str) -> None:
    # In a process of its own, since FFmpeg crashes when it is flushed after a failed write.
    script = [sys.executable, "-c", FULL_DISKS, str(tmp_path / name)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    errors = done.stdout.splitlines()
    # A noisy picture of this size is 110 kB as PNG, so that it fails at every limit as the videos do.
    assert len(errors) == 7
    assert all(error.endswith(" cannot be written: File too large") for error in errors)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_video_of_changing_size_is_refused(tmp_path: Path, name: str) -> None:
    writer = open_frame_writer(str(tmp_path / name), rate=RATE, palette=DARK)
    writer.write(pictures(1)[0])
    with pytest.raises(OptionError, match="must have one size"):
        writer.write(pictures(1, height=50)[0])
    writer.close()
    writer.close()


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"output must end in \.mp4, \.gif, \.png"):
        open_frame_writer(str(tmp_path / "clip.webm"), rate=RATE, palette=DARK)


def test_rate_of_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="rate must be > 0"):
        open_frame_writer(str(tmp_path / "clip.mp4"), rate=Fraction(0), palette=DARK)


def test_write_png_that_cannot_be_encoded_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, np.empty(0, np.uint8)))
    with pytest.raises(OutputError, match="could not encode"):
        write_png(tmp_path / "a.png", pictures(1)[0])
