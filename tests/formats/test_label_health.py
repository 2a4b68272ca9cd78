from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import open_recording, write_boxes, write_dat, write_evt3
from eventdet.formats.label_health import LabelHealth, check_labels
from eventdet.geometry import GEN1


def save(path: Path, xywh: list[list[float]], *, t: list[int] | int = 0, class_id: list[int] | int = 0) -> Path:
    write_boxes(path, Boxes.from_xywh(xywh, t=t, class_id=class_id))
    return path


def rows_of(health: LabelHealth, name: str) -> list[int]:
    return next(finding.examples for finding in health.findings if finding.name == name)


def test_boxes_against_the_sensor(tmp_path: Path) -> None:
    # Inside with touching edges; over the left; over the bottom; wholly to the right; 274 > 0.9 * 304 = 273.6 wide.
    xywh = [[0, 0, 20, 240], [-1, 0, 20, 20], [10, 230, 20, 11], [304, 0, 5, 5], [0, 0, 274, 10], [0, 0, 273, 10]]
    health = check_labels(save(tmp_path / "a_bbox.npy", [[float(v) for v in box] for box in xywh]), sensor_size=GEN1)
    assert health.faults == {"partly out of frame": 2, "wholly out of frame": 1, "whole width": 1}
    assert rows_of(health, "partly out of frame") == [1, 2]
    assert rows_of(health, "wholly out of frame") == [3]
    assert rows_of(health, "whole width") == [4]


def test_boxes_that_are_no_boxes(tmp_path: Path) -> None:
    xywh: list[list[float]] = [
        [5, 5, 0, 9],
        [5, 5, 9, -1],
        [5, 5, np.nan, 9],
        [5, 5, np.inf, 9],
        [5, 5, 9, 9],
        [5, 5, 9, 9],
    ]
    path = save(tmp_path / "a_bbox.npy", xywh, t=[4, 4, 4, 4, 4, 3], class_id=[0, 0, 0, 0, 2, 1])
    health = check_labels(path, sensor_size=GEN1)
    assert rows_of(health, "no area") == [0, 1, 2, 3]
    assert rows_of(health, "unknown class") == [4]
    assert rows_of(health, "stamp before the one above") == [5]
    assert health.sizes["class 2"].count == health.sizes["pedestrian"].count == 1
    assert set(health.sizes) == {"class 2", "pedestrian"}


def test_repeated_boxes_are_found_by_stamp_class_and_edges(tmp_path: Path) -> None:
    xywh = [[5.0, 5, 9, 9]] * 5
    path = save(tmp_path / "a_bbox.npy", xywh, t=[0, 0, 1, 0, 0], class_id=[0, 1, 0, 0, 1])
    assert rows_of(check_labels(path), "duplicate") == [3, 4]


def test_frozen_boxes_keep_their_edges_over_consecutive_label_times(tmp_path: Path) -> None:
    # Labels twice a second. One car stays for 2.0 s (five times), another misses one time in the middle, and a third
    # stays for 1.5 s only.
    boxes = [([1.0, 1, 9, 9], t) for t in (0, 500_000, 1_000_000, 1_500_000, 2_000_000)]
    boxes += [([40.0, 1, 9, 9], t) for t in (0, 500_000, 1_500_000, 2_000_000)]
    boxes += [([80.0, 1, 9, 9], t) for t in (0, 500_000, 1_000_000, 1_500_000)]
    path = save(tmp_path / "a_bbox.npy", [box for box, _ in boxes], t=[t for _, t in boxes])
    health = check_labels(path)
    assert health.faults["frozen for 2 s"] == 5
    assert rows_of(health, "frozen for 2 s") == [0, 1, 2, 3, 4]
    assert (health.num_times, health.label_rate_hz, health.t_last_us) == (5, 2.0, 2_000_000)


@pytest.mark.parametrize("write", [write_dat, write_evt3], ids=["dat", "evt3"])
def test_boxes_without_events_inside_before_their_stamp(
    tmp_path: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Events at pixel (10, 10) at 50 ms and at pixel (60, 60) at 300 ms, the last microsecond before a stamp.
    events = Events.from_columns(t=[50_000, 299_999, 400_000], x=[10, 60, 200], y=[10, 60, 200], p=[0, 1, 1])
    write(tmp_path / "a", events, GEN1)
    xywh: list[list[float]] = [
        [10, 10, 1, 1],  # the pixel itself, seen 50 ms before
        [11, 10, 9, 9],  # its neighbour
        [0, 0, 20, 20],  # the pixel, too long ago
        [60, 60, 1, 1],  # 1 us before
        [200, 200, 1, 1],  # its event comes at the stamp, not before it
        [200, 200, 1, 1],  # at the end of the recording
        [0, 0, 304, 240],  # long after the end
    ]
    stamps = [100_000, 100_000, 300_000, 300_000, 400_000, 500_000, 9_000_000]
    path = save(tmp_path / "a_bbox.npy", xywh, t=stamps)
    monkeypatch.setattr("eventdet.formats.recording.Recording.chunks.__defaults__", (1,))
    health = check_labels(path, open_recording(tmp_path / "a"))
    assert rows_of(health, "no events inside") == [1, 2, 4, 6]
    assert health.not_checked == []


def test_what_needs_the_sensor_or_the_events_is_said_to_be_unchecked(tmp_path: Path) -> None:
    health = check_labels(save(tmp_path / "a_bbox.npy", [[0, 0, 999, 999]]))
    assert health.faults == {}
    assert [line.partition(":")[0] for line in health.not_checked] == ["out of frame, whole width", "no events inside"]


def test_label_layout_is_told_by_its_fields(tmp_path: Path) -> None:
    fields = [("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "u1")]
    for layout, extra in (
        ("old", [("ts", "<u8"), ("confidence", "<f4")]),
        ("new", [("t", "<i8"), ("class_confidence", "<f4")]),
        ("mixed", [("ts", "<u8"), ("class_confidence", "<f4")]),
    ):
        np.save(tmp_path / f"{layout}.npy", np.zeros(0, [*extra, *fields]))
        health = check_labels(tmp_path / f"{layout}.npy", sensor_size=GEN1)
        assert health.layout == layout
        assert (health.num_boxes, health.label_rate_hz, health.faults, health.sizes) == (0, 0.0, {}, {})
