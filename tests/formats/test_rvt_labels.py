"""RVT's label files: what its loader would find in them, and what broken ones are told."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError
from eventdet.formats.rvt_labels import read_rvt_labels, read_rvt_numbers, write_rvt_labels


def test_rows_are_sorted_and_each_time_knows_its_first_row(tmp_path: Path) -> None:
    xywh = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    write_rvt_labels(tmp_path, Boxes.from_xywh(xywh, t=[500, 250, 500], class_id=[1, 0, 0], track_id=[7, 8, 9]))
    with np.load(tmp_path / "labels.npz", allow_pickle=False) as archive:
        rows, first_rows = archive["labels"], archive["objframe_idx_2_label_idx"]
    assert rows["t"].tolist() == [250, 500, 500]
    assert [rows[name].tolist() for name in ("x", "y", "w", "h")] == [[5, 1, 9], [6, 2, 10], [7, 3, 11], [8, 4, 12]]
    assert rows["class_id"].tolist() == [0, 1, 0]
    assert rows["class_confidence"].tolist() == [1, 1, 1]
    assert (first_rows.dtype, first_rows.tolist()) == (np.int64, [0, 1])
    assert np.load(tmp_path / "timestamps_us.npy").tolist() == [250, 500]


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    boxes = Boxes.from_xywh([[1, 2, 3, 4], [0, 0, 2, 2]], t=[250, 500], class_id=[1, 0], track_id=[7, 8])
    write_rvt_labels(tmp_path, boxes)
    got = read_rvt_labels(tmp_path)
    for name in ("xyxy", "t", "class_id", "score", "track_id"):
        np.testing.assert_array_equal(getattr(got, name), getattr(boxes, name))


def test_missing_labels_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labels\.npz: no such file"):
        read_rvt_labels(tmp_path)


def _save(folder: Path, labels: object) -> None:
    np.savez(folder / "labels.npz", labels=np.asarray(labels))


def test_an_archive_without_boxes_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "labels.npz", other=np.zeros(3))
    with pytest.raises(FormatError, match=r"labels\.npy"):
        read_rvt_labels(tmp_path)
    _save(tmp_path, np.zeros(3))
    with pytest.raises(FormatError, match="boxes must have the fields"):
        read_rvt_labels(tmp_path)
    for no_list in (np.zeros((2, 4)), np.zeros(())):
        _save(tmp_path, no_list)
        with pytest.raises(FormatError, match="must be a list of boxes"):
            read_rvt_labels(tmp_path)


def test_a_row_that_is_no_box_is_told(tmp_path: Path) -> None:
    row = np.dtype([("t", "i8"), ("x", "f4"), ("y", "f4"), ("w", "f4"), ("h", "f4"), ("class_id", "u4")])
    _save(tmp_path, np.array([(1, 0, 0, 2, 2, 0), (1, 0, 0, 0, 2, 0)], row))
    with pytest.raises(FormatError, match="row 1 is no box"):
        read_rvt_labels(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 200], ids=["empty", "cut in the header", "cut in the rows"])
def test_a_cut_archive_is_told(tmp_path: Path, keep: int) -> None:
    write_rvt_labels(tmp_path, Boxes.from_xywh([[1, 2, 3, 4]] * 9))
    path = tmp_path / "labels.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"labels\.npz: broken"):
        read_rvt_labels(tmp_path)


def test_a_claim_of_more_rows_than_there_are_costs_no_memory(tmp_path: Path) -> None:
    header = b"{'descr': [('t', '<i8')], 'fortran_order': False, 'shape': (99999999999,), }"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "labels.npz", "w") as archive:
        archive.writestr("labels.npy", content)
    with pytest.raises(FormatError, match="cut"):
        read_rvt_labels(tmp_path)


def test_numbers_are_read_whatever_their_width(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([3, 1, 2], np.uint16))
    numbers = read_rvt_numbers(tmp_path / "a.npy")
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [3, 1, 2]


def test_more_numbers_than_a_file_can_hold_cost_no_memory(tmp_path: Path) -> None:
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (999999999999,), }"
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(FormatError, match="cut"):
        read_rvt_numbers(tmp_path / "a.npy")


def test_missing_numbers_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.npy: cannot be read"):
        read_rvt_numbers(tmp_path / "a.npy")
