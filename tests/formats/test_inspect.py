import json
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import inspect_recording, write_boxes, write_dat
from eventdet.geometry import GEN1


def test_inspect_recording_counts_events_rates_and_labels(tmp_path: Path) -> None:
    # 100 events at 5 ms, 300 at 12 and 18 ms, 1 at 40 ms: bins of 100, 600, 0, 0, 1; every fourth event is ON.
    t = np.repeat([5_000, 12_000, 18_000, 40_000], [100, 300, 300, 1])
    zeros = np.zeros(len(t), int)
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=t, x=zeros, y=zeros, p=np.arange(len(t)) % 4 == 0), GEN1)
    write_boxes(tmp_path / "a_bbox.npy", Boxes.from_xywh([[0, 0, 5, 5]] * 3, class_id=[0, 1, 0]))
    info = inspect_recording(tmp_path / "a_td.dat")
    assert (info.format, info.width, info.height) == ("dat", 304, 240)
    assert (info.num_events, info.t_first_us, info.duration_us) == (701, 5_000, 35_000)
    assert info.mean_rate_mev_s == pytest.approx(701 / 35_000)
    assert info.peak_rate_mev_s == pytest.approx(600 / 10_000)
    assert info.on_share == pytest.approx(176 / 701)
    assert info.is_monotonic
    assert not info.synthetic
    assert info.labels == {0: 2, 1: 1}
    assert info.labels_path == str(tmp_path / "a_bbox.npy")
    assert json.loads(json.dumps(info.to_dict()))["labels"] == {"0": 2, "1": 1}


def test_inspect_recording_sees_the_peak_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    t = np.arange(0, 30_000, 10)
    zeros = np.zeros(len(t), int)
    write_dat(tmp_path / "a.dat", Events.from_columns(t=t, x=zeros, y=zeros, p=zeros), GEN1)
    monkeypatch.setattr("eventdet.formats.recording.Recording.chunks.__defaults__", (7,))
    assert inspect_recording(tmp_path / "a.dat").peak_rate_mev_s == pytest.approx(1000 / 10_000, rel=1e-3)


def test_inspect_recording_without_events_is_all_zero(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    info = inspect_recording(tmp_path / "a.dat")
    assert (info.num_events, info.duration_us, info.mean_rate_mev_s, info.peak_rate_mev_s, info.on_share) == (
        0, 0, 0, 0, 0,
    )  # fmt: skip
    assert info.labels_path is None


def test_inspect_recording_shorter_than_a_bin_peaks_at_its_mean(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.from_columns(t=[0, 1000], x=[0, 0], y=[0, 0], p=[0, 1]), GEN1)
    info = inspect_recording(tmp_path / "a.dat")
    assert info.peak_rate_mev_s == info.mean_rate_mev_s == pytest.approx(2 / 1000)


def test_inspect_recording_counts_repairs_and_trailing_bytes(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    with (tmp_path / "a.dat").open("ab") as file:
        file.write(np.array([(9, 0), (5, 0), (10, 400)], "<u4").tobytes() + b"\x00\x00\x00")
    info = inspect_recording(tmp_path / "a.dat")
    assert not info.is_monotonic
    assert info.repairs == {"backward_clamped": 1, "out_of_range_dropped": 1, "trailing_bytes": 3}
    counted = {name: count for name, count in info.counts.items() if count}
    # Raised to 9 us, the second event repeats the first.
    assert counted == {
        "num_events": 2, "backward_clamped": 1, "out_of_range_dropped": 1, "trailing_bytes": 3, "duplicates_kept": 1,
    }  # fmt: skip


def test_inspect_recording_tells_a_broken_label_file_and_goes_on(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=[0, 1000], x=[0, 0], y=[0, 0], p=[0, 1]), GEN1)
    (tmp_path / "a_bbox.npy").write_bytes(b"not numpy")
    info = inspect_recording(tmp_path / "a_td.dat")
    assert info.num_events == 2
    assert info.labels_fault == f"{tmp_path / 'a_bbox.npy'}: not a .npy file, at byte 0"
    assert (info.labels, info.labels_dropped) == ({}, 0)


def test_inspect_recording_counts_label_rows_that_are_no_box(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", Events.empty(), GEN1)
    xywh: list[list[float]] = [[0, 0, 5, 5], [0, 0, np.nan, 5], [0, 0, -1, 5]]
    write_boxes(tmp_path / "a_bbox.npy", Boxes.from_xywh(xywh, class_id=1))
    info = inspect_recording(tmp_path / "a_td.dat")
    assert (info.labels, info.labels_dropped, info.labels_fault) == ({1: 1}, 2, None)
