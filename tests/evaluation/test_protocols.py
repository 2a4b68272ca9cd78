"""The quirks of published protocols, each by a box on either side of its rule."""

import pytest

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import PROTOCOLS, Protocol
from eventdet.formats.label_presets import LabelPreset
from eventdet.geometry import GEN1

LATE_US = 1_000_000


def _kept(protocol: str, boxes: Boxes) -> list[int]:
    """Return the tracks of the labels that count."""
    return [int(track) for track in PROTOCOLS[protocol].filter_labels(boxes, GEN1)[0].track_id]


def test_protocols_are_named_as_their_keys() -> None:
    assert [protocol.name for protocol in PROTOCOLS.values()] == list(PROTOCOLS)
    assert list(PROTOCOLS) == ["rvt", "prophesee", "prophesee-cli", "side20", "yolo"]


@pytest.mark.parametrize(
    ("protocol", "kept"),
    [("rvt", [2, 3]), ("prophesee", [2, 3]), ("prophesee-cli", [3]), ("side20", [3]), ("yolo", [0, 1, 2, 3])],
)
def test_small_boxes_count_by_the_sizes_of_the_protocol(protocol: str, kept: list[int]) -> None:
    # Short diagonal (sqrt(800) = 28.3), narrow side (9), side between 10 and 20, wide enough for all.
    boxes = Boxes.from_xywh(
        [[50, 50, 20, 20], [50, 50, 9, 60], [50, 50, 15, 60], [50, 50, 20, 60]], t=LATE_US, track_id=[0, 1, 2, 3]
    )
    assert _kept(protocol, boxes) == kept


@pytest.mark.parametrize(
    ("protocol", "kept"),
    [("rvt", [3]), ("prophesee", [3]), ("prophesee-cli", [2, 3]), ("side20", [0, 1, 2, 3]), ("yolo", [0, 1, 2, 3])],
)
def test_the_beginning_is_skipped_by_the_time_of_the_protocol(protocol: str, kept: list[int]) -> None:
    # Exactly at the skipped time is skipped.
    boxes = Boxes.from_xywh([[50, 50, 40, 40]] * 4, t=[0, 100_000, 500_000, 600_000], track_id=[0, 1, 2, 3])
    assert _kept(protocol, boxes) == kept


def test_rvt_takes_label_times_on_its_grid_alone() -> None:
    stamps = [600_000, 850_000, 1_101_900, 1_300_000, 1_602_100]
    boxes = Boxes.from_xywh([[50, 50, 40, 40]] * 5, t=stamps, track_id=[0, 1, 2, 3, 4])
    kept, dropped = PROTOCOLS["rvt"].filter_labels(boxes, GEN1)
    # 1.3 s is off the grid; 1.6021 s is 500.2 ms after 1.1019 s, which counts.
    assert kept.track_id.tolist() == [0, 1, 2, 4]
    assert dropped == {"off grid": 1}


def test_rvt_cuts_labels_and_detections_to_the_sensor_before_it_judges_their_size() -> None:
    leaving = Boxes.from_xywh([[295, 50, 60, 60]], t=LATE_US)
    # 8 pixels of width are left up to column 303.
    assert len(PROTOCOLS["rvt"].filter_detections(leaving, GEN1)[0]) == 0
    assert PROTOCOLS["rvt"].filter_labels(leaving, GEN1)[1] == {"small": 1}
    assert len(PROTOCOLS["prophesee"].filter_labels(leaving, GEN1)[0]) == 1


def test_a_box_one_pixel_over_the_size_stays_a_false_positive_of_a_label_under_it() -> None:
    # There are no ignored regions: the label goes, the detection of it stays.
    label, found = Boxes.from_xywh([[50, 50, 9.9, 60]], t=LATE_US), Boxes.from_xywh([[50, 50, 10.1, 60]], t=LATE_US)
    protocol = PROTOCOLS["prophesee"]
    assert len(protocol.filter_labels(label, GEN1)[0]) == 0
    assert len(protocol.filter_detections(found, GEN1)[0]) == 1


def test_side20_keeps_the_last_label_of_a_track_at_a_time() -> None:
    boxes = Boxes.from_xywh([[10, 10, 40, 40], [20, 20, 40, 40], [30, 30, 40, 40]], t=LATE_US, track_id=[7, 7, -1])
    kept, dropped = PROTOCOLS["side20"].filter_labels(boxes, GEN1)
    assert kept.xyxy[:, 0].tolist() == [20, 30]
    assert dropped == {"repeated": 1}


def test_detections_below_the_least_score_are_counted() -> None:
    found = Boxes.from_xywh([[50, 50, 40, 40]] * 2, t=LATE_US, score=[0.0005, 0.5])
    kept, dropped = PROTOCOLS["yolo"].filter_detections(found, GEN1)
    assert kept.score.tolist() == [0.5]
    assert dropped == {"score": 1}


def test_no_labels_are_no_labels_under_every_protocol() -> None:
    for protocol in PROTOCOLS.values():
        assert len(protocol.filter_labels(Boxes.empty(), GEN1)[0]) == 0


@pytest.mark.parametrize("change", [{"matching": "nearest"}, {"tolerance_us": -1}], ids=str)
def test_a_protocol_out_of_its_rules_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Protocol("own", "test", LabelPreset(), **change)  # type: ignore[arg-type] # wrong on purpose
