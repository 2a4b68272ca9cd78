"""The recording for rerun, read by rerun."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.sinks import StreamHeader, WindowResult, open_sink

chunk = pytest.importorskip("rerun.chunk", reason="the extra rerun is not installed, or older than its reader")


def test_rerun_reads_boxes_events_and_times(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = tmp_path / "a.rrd"
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)
        assert not target.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.rrd"]
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in chunk.RrdReader(target).stream():
        rows.setdefault(part.entity_path, []).extend(part.to_record_batch().to_pylist())
    boxes = sorted(rows["/camera/boxes"], key=lambda row: row["recorded"])
    assert [row["recorded"].total_seconds() for row in boxes] == [0.05, 0.1, 0.15, 0.2, 0.25]
    for row, result in zip(boxes, results, strict=True):
        centers, halves = (np.array(row[f"Boxes2D:{name}"]).reshape(-1, 2) for name in ("centers", "half_sizes"))
        np.testing.assert_allclose(np.hstack([centers - halves, centers + halves]), result.boxes.xyxy, atol=1e-3)
    assert boxes[0]["Boxes2D:labels"] == ["car 0.91", "pedestrian 0.50"]
    counts = [row["Scalars:scalars"] for row in sorted(rows["/plots/events"], key=lambda row: row["recorded"])]
    assert counts == [[400.0], [400.0], [0.0], [400.0], [400.0]]
    assert len(rows["/camera/events"]) == 5
