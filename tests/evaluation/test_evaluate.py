from dataclasses import replace

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import PROTOCOLS, FalseAlarms, RecordingResults, Results, count_false_alarms, evaluate
from eventdet.evaluation.evaluate import digest
from eventdet.geometry import GEN1


def _moving_car(stamps: list[int]) -> Boxes:
    """Return a car of 60 x 40 pixels that moves 16 pixels in 100 ms to the right."""
    return Boxes.from_xywh([[10 + stamp / 6250, 80, 60, 40] for stamp in stamps], t=stamps)


LABELS = _moving_car([600_000, 850_000, 1_100_000])
DENSE = _moving_car(list(range(50_000, 1_250_000, 50_000)))


def _drive(found: Boxes, *, latency_us: int | None = None, name: str = "drive") -> RecordingResults:
    results = Results.of_boxes(found)
    if latency_us is not None:
        results = Results(results.boxes, results.t_us, np.full(len(results.t_us), latency_us))
    return RecordingResults(name, results, LABELS, GEN1)


@pytest.mark.parametrize(("protocol", "best"), [("rvt", 1.0), ("side20", 1.0), ("yolo", 0.995)])
def test_exact_boxes_at_every_label_score_the_most_there_is(protocol: str, best: float) -> None:
    # YOLO's curve ends at a precision of 0, which the last of 100 trapezoids falls to: 1 - 0.01 / 2.
    assert evaluate([_drive(DENSE)], PROTOCOLS[protocol], num_classes=2).scores.map50_95 == pytest.approx(best)


def test_the_toolbox_punishes_a_detector_that_speaks_often() -> None:
    toolbox = PROTOCOLS["prophesee"]
    dense = evaluate([_drive(DENSE)], toolbox, num_classes=2).scores
    sparse = evaluate([_drive(LABELS)], toolbox, num_classes=2).scores
    newest = evaluate([_drive(DENSE)], replace(toolbox, matching="newest-before"), num_classes=2).scores
    # Of three boxes in each window two are repeats. All scores tie, so the earliest comes first, 8 pixels behind: it
    # claims the label up to an overlap of 0.75 (52 / 68 = 0.76), and from 0.8 the second one does.
    assert sparse.map50_95 == newest.map50_95 == pytest.approx(1.0)
    assert dense.map50_95 < 0.7


def test_latency_costs_what_moves_meanwhile() -> None:
    # 60 ms late: at a label the newest finished result is 100 ms old, 16 pixels behind: overlap 44 / 76 = 0.58.
    late = evaluate([_drive(DENSE, latency_us=60_000)], PROTOCOLS["rvt"], num_classes=2, with_latency=True)
    assert late.protocol.matching == "newest-before"
    assert late.scores.per_class[:, 0].tolist() == pytest.approx([1.0] * 2 + [0.0] * 8)
    in_time = evaluate([_drive(DENSE, latency_us=0)], PROTOCOLS["rvt"], num_classes=2, with_latency=True)
    assert in_time.scores.map50_95 == pytest.approx(1.0)


def test_latencies_are_left_out_unless_asked_for() -> None:
    newest = replace(PROTOCOLS["rvt"], matching="newest-before")
    assert evaluate([_drive(DENSE, latency_us=60_000)], newest, num_classes=2).scores.map50_95 == pytest.approx(1.0)


def test_recordings_are_scored_together_and_each_alone() -> None:
    result = evaluate([_drive(DENSE), _drive(Boxes.empty(), name="blind")], PROTOCOLS["rvt"], num_classes=2)
    # Half of the labels are found, without a false box: 51 of 101 recalls.
    assert result.scores.map50 == pytest.approx(51 / 101)
    assert [(row.name, row.map50, row.num_labels) for row in result.recordings] == [
        ("drive", 1.0, 3),
        ("blind", 0.0, 3),
    ]
    assert result.times_without_result == 3


def test_label_files_without_labels_give_no_score_and_no_label_time() -> None:
    empty = RecordingResults("empty", Results.of_boxes(DENSE), Boxes.empty(), GEN1)
    result = evaluate([empty], PROTOCOLS["rvt"], num_classes=2)
    assert np.isnan(result.scores.map50)
    assert result.scores.num_images == 0
    assert result.to_dict(("car", "pedestrian"))["mAP50"] is None


def test_dropped_boxes_are_counted_by_rule() -> None:
    small = Boxes.from_xywh([[5, 5, 8, 8]], t=600_000)
    drive = RecordingResults("drive", Results.of_boxes(small), Boxes.concatenate([LABELS, small]), GEN1)
    result = evaluate([drive], PROTOCOLS["rvt"], num_classes=2)
    assert result.dropped_labels == result.dropped_detections == {"small": 1}


def test_written_values_name_protocol_versions_and_data() -> None:
    record = evaluate([_drive(DENSE)], PROTOCOLS["rvt"], num_classes=2).to_dict(("car", "pedestrian"))
    assert record["mAP50"] == 1.0
    assert isinstance(record["protocol"], dict)
    assert record["protocol"]["name"] == "rvt"
    assert isinstance(record["versions"], dict)
    assert record["versions"].keys() == {"eventdet", "numpy", "numba"}
    assert isinstance(record["classes"], dict)
    assert record["classes"]["car"]["labels"] == 3
    assert record["classes"]["pedestrian"]["AP50"] is None
    assert len(record["classes"]["car"]["precision_at_recalls_50"]) == 101


def test_digest_tells_contents_and_not_their_order() -> None:
    backwards = LABELS[np.arange(len(LABELS))[::-1]]
    assert digest(LABELS) == digest(backwards)
    assert digest(LABELS) != digest(LABELS[:2])


@pytest.mark.parametrize("what", ["labels", "detections"])
def test_a_class_out_of_range_names_recording_and_side(what: str) -> None:
    cyclist = replace(LABELS, class_id=np.full(len(LABELS), 5))
    drive = RecordingResults(
        "drive",
        Results.of_boxes(cyclist if what == "detections" else LABELS),
        cyclist if what == "labels" else LABELS,
        GEN1,
    )
    with pytest.raises(OptionError, match=rf"drive: {what}: class ids must be in 0\.\.1, got 5"):
        evaluate([drive], PROTOCOLS["rvt"], num_classes=2)


def test_latency_that_nobody_knows_is_refused() -> None:
    with pytest.raises(OptionError, match="drive: latencies are not known"):
        evaluate([_drive(DENSE)], PROTOCOLS["rvt"], num_classes=2, with_latency=True)


def test_no_recordings_are_refused() -> None:
    with pytest.raises(OptionError, match="at least one recording"):
        evaluate([], PROTOCOLS["rvt"], num_classes=2)


def test_false_alarms_are_counted_a_margin_away_from_labels() -> None:
    stamps = list(range(0, 10_000_001, 500_000))
    found = Results.of_boxes(Boxes.from_xyxy([[0, 0, 9, 9]] * len(stamps), t=stamps, score=0.5))
    labels = Boxes.from_xyxy([[0, 0, 9, 9]] * 2, t=[4_000_000, 4_500_000])
    # Free are 0 to 3 s and 5.5 to 10 s: 7 and 10 results.
    alarms = count_false_alarms(found, labels, least_score=0.25)
    assert alarms == FalseAlarms(17, 7_500_000)
    assert alarms.per_minute == pytest.approx(136.0)
    assert count_false_alarms(found, labels, least_score=0.6).num_boxes == 0


def test_false_alarms_without_a_free_span_are_unknown() -> None:
    assert np.isnan(count_false_alarms(Results.of_boxes(LABELS), LABELS, least_score=0.25).per_minute)
    assert count_false_alarms(Results.of_boxes(Boxes.empty()), LABELS, least_score=0.25).free_us == 0
