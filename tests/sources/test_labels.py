from pathlib import Path

import numpy as np
import pytest

from eventdet import GEN1, Boxes
from eventdet.errors import FormatError
from eventdet.formats import open_recording, write_boxes, write_dat
from eventdet.sources import SyntheticSource, known_labels, open_source
from eventdet.sources.filtered import filter_source
from tests.sources.network import random_events

BOXES = Boxes.from_xywh([[10, 20, 30, 40], [100, 50, 20, 20]], t=[50_000, 100_000], track_id=[3, 4])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "a_td.dat"
    write_dat(target, random_events(num_events=100, duration_us=200_000), GEN1)
    return target


def test_a_recording_alone_has_no_labels(path: Path) -> None:
    assert known_labels(open_recording(path)) is None


def test_labels_beside_a_recording_move_with_its_filters(path: Path) -> None:
    write_boxes(path.with_name("a_bbox.npy"), BOXES)
    recording = open_recording(path)
    known = known_labels(recording)
    assert known is not None
    assert (known.origin, known.num_unsound) == (str(path.with_name("a_bbox.npy")), 0)
    assert known.boxes.xywh.tolist() == BOXES.xywh.tolist()
    cropped = known_labels(filter_source(recording, ["crop:x=5,y=10,w=60,h=60"]))
    assert cropped is not None
    # The second lies outside.
    assert cropped.boxes.xywh.tolist() == [[5, 10, 30, 40]]
    assert cropped.boxes.track_id.tolist() == [3]


def test_rows_that_are_no_boxes_are_counted(path: Path) -> None:
    flat = Boxes.from_xywh([[10, 20, 0, 40]], t=[50_000])
    write_boxes(path.with_name("a_bbox.npy"), Boxes.concatenate([BOXES, flat]))
    known = known_labels(open_recording(path))
    assert known is not None
    assert (len(known.boxes), known.num_unsound) == (2, 1)


def test_a_file_that_is_no_list_of_labels_is_an_error(path: Path) -> None:
    path.with_name("a_bbox.npy").write_bytes(b"no list")
    with pytest.raises(FormatError, match=r"not a \.npy file"):
        known_labels(open_recording(path))


def test_a_simulated_source_knows_its_own() -> None:
    source = open_source("synthetic://?seed=3&seconds=0.5")
    assert isinstance(source, SyntheticSource)
    known = known_labels(source)
    assert known is not None
    assert known.origin == source.name
    assert np.array_equal(known.boxes.xyxy, source.labels.xyxy)
