"""What stands where a recording is to go, sources that are not there, and an end that is asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.formats import write_dat, write_evt2
from eventdet.preprocessing import (
    ConvertOptions,
    ConvertProgress,
    Representation,
    convert,
    find_stored_recordings,
    open_stored_recording,
)

from .stores import OPTIONS, SIZE, events_of, gen1_folder


def test_link_to_nothing_is_told_and_the_rest_converted(tmp_path: Path) -> None:
    source = gen1_folder(tmp_path / "gen1")
    (source / "val" / "lost_td.dat").symlink_to(tmp_path / "nowhere")
    summary = convert(source, tmp_path / "out.zarr", OPTIONS)
    assert summary.num_converted == 3
    assert [(one.path.name, one.reason) for one in summary.failed] == [
        ("lost_td.dat", "cannot be read (No such file or directory)")
    ]


def test_recording_made_from_another_file_stays_and_keeps_its_line(tmp_path: Path) -> None:
    write_dat(tmp_path / "x_td.dat", events_of(1), SIZE)
    write_evt2(tmp_path / "x_td.raw", events_of(2), SIZE)
    convert(tmp_path / "x_td.dat", tmp_path / "out.zarr", OPTIONS)
    before = (tmp_path / "out.zarr/manifest.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"x_td\.zarr was made from another recording, x_td\.dat") as caught:
        convert(tmp_path / "x_td.raw", tmp_path / "out.zarr", OPTIONS)
    assert "eventdet store rm" in caught.value.hint
    assert (tmp_path / "out.zarr/manifest.jsonl").read_bytes() == before
    np.testing.assert_array_equal(
        open_stored_recording(tmp_path / "out.zarr").events().to_structured(), events_of(1).to_structured()
    )


def test_same_bytes_under_another_name_convert_again(tmp_path: Path) -> None:
    write_dat(tmp_path / "x_td.dat", events_of(0), SIZE)
    convert(tmp_path / "x_td.dat", tmp_path / "out.zarr", OPTIONS)
    (tmp_path / "x_td.dat").rename(tmp_path / "x_td.DAT")
    summary = convert(tmp_path / "x_td.DAT", tmp_path / "out.zarr", OPTIONS)
    assert (summary.num_converted, summary.replaced) == (1, ())


def test_recording_that_replaces_another_of_its_name_is_told(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        write_dat(tmp_path / folder / "x_td.dat", events_of(seed), SIZE)
    first = convert(tmp_path / "a/x_td.dat", tmp_path / "out.zarr", OPTIONS)
    digest = open_stored_recording(tmp_path / "out.zarr").attributes["source"]["sha256"]
    other_options = convert(tmp_path / "a/x_td.dat", tmp_path / "out.zarr", ConvertOptions(window_us=500))
    assert (first.replaced, other_options.replaced) == ((), ())
    (told,) = convert(tmp_path / "b/x_td.dat", tmp_path / "out.zarr", OPTIONS).replaced
    assert told.path == tmp_path / "b/x_td.dat"
    assert told.reason.startswith(f"replaced a recording of that name made from other bytes (SHA-256 {digest[:12]}, ")


@pytest.mark.parametrize("values", [{}, {"window_events": 5}], ids=["grid", "counts"])
def test_progress_is_told_amid_the_windows_of_a_silence_and_may_end_it(tmp_path: Path, values: dict[str, Any]) -> None:
    silence = Events.from_columns(t=[0, 10_000], x=[1, 2], y=[3, 4], p=[0, 1])
    write_dat(tmp_path / "a_td.dat", silence, SIZE)
    told: list[ConvertProgress] = []

    def interrupt_at_the_third_word(progress: ConvertProgress) -> None:
        told.append(progress)
        if len(told) == 3:
            raise KeyboardInterrupt

    options = ConvertOptions(representation=Representation("histogram", 1), window_us=1, **values)
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", options, on_progress=interrupt_at_the_third_word)
    assert [progress.files_done for progress in told] == [0, 0, 0]
    assert find_stored_recordings(tmp_path / "out.zarr") == []


def test_a_file_that_comes_later_may_take_a_place_and_the_other_keeps_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_evt2(tmp_path / "in/x_td.raw", events_of(1), SIZE)
    convert(tmp_path / "in", tmp_path / "out", OPTIONS)
    write_dat(tmp_path / "in/x_td.dat", events_of(2), SIZE)
    summary = convert(tmp_path / "in", tmp_path / "out", OPTIONS)
    assert (summary.num_converted, summary.failed) == (2, ())
    stored = find_stored_recordings(tmp_path / "out")
    sources = {path.name: open_stored_recording(path).attributes["source"]["name"] for path in stored}
    assert sources == {"x_td.zarr": "x_td.dat", "x_td.raw.zarr": "x_td.raw"}
