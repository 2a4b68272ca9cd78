import math

import numpy as np

from eventdet.boxes import Boxes
from eventdet.sinks import WindowResult
from eventdet.streaming.delay import DelayWatch


def _result(t_us: int, boxes: Boxes, total_ms: float = 20.0) -> WindowResult:
    return WindowResult(t_us // 50_000 - 1, t_us - 50_000, t_us, 10, boxes, {"total": total_ms})


def test_the_delay_is_from_the_first_label_to_the_first_correct_result() -> None:
    labels = Boxes.from_xywh(
        [[10, 10, 20, 20], [12, 10, 20, 20], [100, 50, 10, 30], [14, 10, 20, 20]],
        t=[50_000, 100_000, 100_000, 150_000],
        class_id=[0, 0, 1, 0],
        track_id=[7, 7, 8, 7],
    )
    watch = DelayWatch(labels[np.array([3, 1, 0, 2])])
    watch.add(_result(50_000, Boxes.empty()))
    # The first overlaps by less than half, the second is of another class.
    watch.add(_result(100_000, Boxes.from_xywh([[30, 10, 20, 20], [12, 10, 20, 20]], class_id=[0, 1])))
    watch.add(_result(150_000, Boxes.from_xywh([[14, 10, 20, 20]])))
    watch.add(_result(200_000, Boxes.from_xywh([[16, 10, 20, 20]])))
    # From 50 ms to the result of the window that ends at 150 ms, which took 20 ms.
    assert watch.summary() == (2, 1, 120.0, 120.0, 50.0)


def test_labels_without_identity_or_outside_of_the_stream_do_not_count() -> None:
    labels = Boxes.from_xywh([[0, 0, 9, 9], [0, 0, 9, 9]], t=[50_000, 500_000], track_id=[-1, 3])
    watch = DelayWatch(labels)
    watch.add(_result(50_000, Boxes.from_xywh([[0, 0, 9, 9]])))
    summary = watch.summary()
    assert summary[:2] == (0, 0)
    assert math.isnan(summary.median_ms)
