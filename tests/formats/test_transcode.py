from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import FORMATS, Region, open_recording, output_format, transcode, write_dat, write_evt3
from eventdet.geometry import GEN1, SensorSize

from .reference import random_events, rows

SMALL = SensorSize(180, 240)
EVENTS = random_events(4000, width=SMALL.width, height=SMALL.height)
WRITTEN = [name for name, known in FORMATS.items() if known.write]


@pytest.fixture
def dat(tmp_path: Path) -> Path:
    write_dat(tmp_path / "in.dat", EVENTS, SMALL)
    return tmp_path / "in.dat"


@pytest.mark.parametrize("name", WRITTEN)
def test_every_written_format_holds_the_events_of_the_recording(tmp_path: Path, dat: Path, name: str) -> None:
    suffix = FORMATS[name].suffix
    encoding = name if suffix == ".raw" else None
    summary = transcode(open_recording(dat), tmp_path / f"out{suffix}", encoding=encoding)
    back = open_recording(tmp_path / f"out{suffix}", sensor_size=SMALL, policy="strict")
    assert (back.format, back.sensor_size) == (name, SMALL)
    assert rows(back.slice(0, 10**6)) == rows(EVENTS)
    assert (summary.format, summary.num_events, summary.repairs) == (name, 4000, {})
    assert summary.num_bytes == (tmp_path / f"out{suffix}").stat().st_size


@pytest.mark.parametrize("write", [write_dat, write_evt3], ids=["dat", "evt3"])
@pytest.mark.parametrize(
    ("start", "stop"), [(None, None), (20_000, 30_000), (None, 50_000), (50_000, None), (10**6, None), (30, 30)]
)
def test_span_holds_the_events_of_the_slice(
    tmp_path: Path, write: Callable[..., None], start: int | None, stop: int | None
) -> None:
    write(tmp_path / "a", EVENTS, SMALL)
    got = Events.concatenate(open_recording(tmp_path / "a").span(start, stop))
    low, high = 0 if start is None else start, 10**7 if stop is None else stop
    assert rows(got) == [row for row in rows(EVENTS) if low <= row[0] < high]


def test_a_part_in_time_and_space_keeps_clock_and_coordinates(tmp_path: Path, dat: Path) -> None:
    region = Region(10, 20, 100, 50)
    transcode(open_recording(dat), tmp_path / "out.es", start_us=20_000, stop_us=60_000, region=region)
    expected = [row for row in rows(EVENTS) if 20_000 <= row[0] < 60_000 and 10 <= row[1] < 110 and 20 <= row[2] < 70]
    assert len(expected) > 100
    assert rows(open_recording(tmp_path / "out.es").slice(0, 10**6)) == expected


def test_from_zero_subtracts_the_first_stamp_that_is_written(tmp_path: Path, dat: Path) -> None:
    transcode(open_recording(dat), tmp_path / "out.dat", start_us=50_000, from_zero=True)
    kept = EVENTS.between(50_000, 10**6)
    np.testing.assert_array_equal(open_recording(tmp_path / "out.dat").slice(0, 10**6).t, kept.t - kept.t[0])


def test_nothing_left_is_an_empty_file(tmp_path: Path, dat: Path) -> None:
    summary = transcode(open_recording(dat), tmp_path / "out.dat", start_us=10**9, from_zero=True)
    assert summary.num_events == 0
    assert open_recording(tmp_path / "out.dat").num_events == 0


def test_mark_of_synthetic_events_is_kept_or_its_loss_is_told(tmp_path: Path) -> None:
    write_dat(tmp_path / "in.dat", EVENTS, SMALL, synthetic=True)
    for suffix, kept in ((".dat", True), (".raw", True), (".es", False), (".bin", False)):
        summary = transcode(open_recording(tmp_path / "in.dat"), tmp_path / f"out{suffix}")
        assert summary.keeps_synthetic_mark == kept
        assert open_recording(tmp_path / f"out{suffix}", sensor_size=SMALL).synthetic == kept


def test_output_format_goes_by_ending_and_encoding() -> None:
    assert [output_format(f"a{suffix}") for suffix in (".dat", ".RAW", ".es", ".bin")] == ["dat", "evt3", "es", "aer40"]
    assert output_format("a.raw", encoding="evt21") == "evt21"
    with pytest.raises(OptionError, match=r"no format is written with the ending '\.mov'"):
        output_format("a.mov")
    with pytest.raises(OptionError, match="encoding must be one of evt2, evt21, evt3, got 'evt4'"):
        output_format("a.raw", encoding="evt4")
    with pytest.raises(OptionError, match="encoding must be one of dat, got 'evt2'"):
        output_format("a.dat", encoding="evt2")


def test_progress_is_the_number_of_events_written_so_far(tmp_path: Path, dat: Path) -> None:
    counts: list[int] = []
    summary = transcode(
        open_recording(dat), tmp_path / "a.es", region=Region(0, 0, 150, 240), on_progress=counts.append
    )
    assert counts == sorted(counts)
    assert counts[-1] == summary.num_events < open_recording(dat).num_events


def test_a_recording_is_not_written_over(dat: Path) -> None:
    before = dat.read_bytes()
    with pytest.raises(OptionError, match="is the recording itself"):
        transcode(open_recording(dat), dat)
    assert dat.read_bytes() == before


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    write_dat(tmp_path / "in.dat", random_events(10), GEN1)
    with pytest.raises(OptionError, match="at most 256x240"):
        transcode(open_recording(tmp_path / "in.dat"), tmp_path / "out.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["in.dat"]


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,x", "-1,2,3,4", "0,0,0,5", "0,0,5,99999999999"])
def test_region_of_a_wrong_text_raises(text: str) -> None:
    with pytest.raises(OptionError, match="region must"):
        Region.parse(text)


@pytest.mark.parametrize("t", [[2**32], [0, 2**32 + 5], [5, 2**33]], ids=["first", "silence", "two-wraps"])
def test_dat_refuses_stamps_that_32_bits_cannot_tell(tmp_path: Path, t: list[int]) -> None:
    zeros = [0] * len(t)
    with pytest.raises(OptionError, match="must not pass 2147483648 us at once beyond the 32 bits of DAT"):
        write_dat(tmp_path / "a.dat", Events.from_columns(t=t, x=zeros, y=zeros, p=zeros), GEN1)
