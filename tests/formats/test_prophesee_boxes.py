from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError
from eventdet.formats import find_boxes, read_boxes, write_boxes
from eventdet.formats.prophesee_boxes import read_label_file

OLD = np.dtype(
    [("ts", "<u8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "u1"), ("confidence", "<f4"),
     ("track_id", "<u4")]
)  # fmt: skip
NEW = np.dtype(
    {
        "names": ["t", "x", "y", "w", "h", "class_id", "track_id", "class_confidence"],
        "formats": ["<i8", "<f4", "<f4", "<f4", "<f4", "<u4", "<u4", "<f4"],
        "offsets": [0, 8, 12, 16, 20, 24, 28, 32],
        "itemsize": 40,
    }
)
SHUFFLED = np.dtype([(name, NEW[name]) for name in reversed(NEW.names or ())])


def one_box(dtype: np.dtype[np.void]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    values = {"t": 500_000, "ts": 500_000, "x": 10, "y": 20, "w": 30, "h": 40, "class_id": 1, "track_id": 7,
              "confidence": 0.5, "class_confidence": 0.5}  # fmt: skip
    array = np.zeros(1, dtype)
    for name in dtype.names or ():
        array[name] = values[name]
    return array


@pytest.mark.parametrize("dtype", [OLD, NEW, SHUFFLED], ids=["old", "new", "shuffled"])
def test_read_boxes_maps_fields_by_name(tmp_path: Path, dtype: np.dtype[np.void]) -> None:
    np.save(tmp_path / "a_bbox.npy", one_box(dtype))
    boxes = read_boxes(tmp_path / "a_bbox.npy")
    assert boxes.xyxy.tolist() == [[10, 20, 40, 60]]
    assert (boxes.t[0], boxes.class_id[0], boxes.track_id[0], boxes.score[0]) == (500_000, 1, 7, 0.5)


def test_box_layouts_have_the_sizes_of_the_datasets() -> None:
    assert (OLD.itemsize, NEW.itemsize) == (33, 40)


def test_write_boxes_writes_the_new_layout(tmp_path: Path) -> None:
    boxes = Boxes.from_xywh([[10, 20, 30, 40], [1, 2, 3, 4]], t=[5, 6], class_id=[0, 1], score=0.25, track_id=[-1, 9])
    write_boxes(tmp_path / "a_bbox.npy", boxes)
    array = np.load(tmp_path / "a_bbox.npy")
    assert array.dtype == NEW
    assert array["w"].tolist() == [30, 3]
    # An unknown track has no value of its own in an unsigned field.
    assert array["track_id"].tolist() == [0, 9]
    back = read_boxes(tmp_path / "a_bbox.npy")
    assert back.xyxy.tolist() == boxes.xyxy.tolist()
    assert back.score.tolist() == [0.25, 0.25]


def test_boxes_of_none_round_trip(tmp_path: Path) -> None:
    write_boxes(tmp_path / "a_bbox.npy", Boxes.empty())
    assert len(read_boxes(tmp_path / "a_bbox.npy")) == 0


def test_read_boxes_without_confidence_and_track_fills_them(tmp_path: Path) -> None:
    np.save(
        tmp_path / "a.npy", one_box(np.dtype([(name, NEW[name]) for name in ("t", "x", "y", "w", "h", "class_id")]))
    )
    boxes = read_boxes(tmp_path / "a.npy")
    assert (boxes.score[0], boxes.track_id[0]) == (1, -1)


def test_read_boxes_of_another_layout_raises_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for array in (np.zeros(3), one_box(np.dtype([("t", "<i8"), ("x", "<f4")])), one_box(NEW).reshape(1, 1)):
        np.save(path, array)
        with pytest.raises(FormatError, match="boxes must have the fields t or ts, x, y, w, h, class_id"):
            read_boxes(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "file is empty"), (b"% evt 3.0\n", "not a .npy file"), (b"\x93NUMPY\x01\x00", "cannot be read as .npy")],
    ids=["empty", "other", "cut-header"],
)
def test_read_boxes_of_a_broken_file_raises_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_boxes(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_read_boxes_of_a_cut_file_raises(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", one_box(NEW))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"cannot be read as \.npy"):
        read_boxes(tmp_path / "a.npy")


def test_read_boxes_never_unpickles(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"t": 1}], object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"cannot be read as \.npy"):
        read_boxes(tmp_path / "a.npy")


def test_read_boxes_of_a_missing_file_raises(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_boxes(tmp_path / "a.npy")


@pytest.mark.parametrize("recording", ["drive_td.dat", "drive.raw", "drive_td.dat.h5", "drive_td.h5"])
def test_find_boxes_pairs_by_stem(tmp_path: Path, recording: str) -> None:
    labels = tmp_path / "drive_bbox.npy"
    assert find_boxes(tmp_path / recording) is None
    labels.touch()
    assert find_boxes(tmp_path / recording) == labels


def npy_header(shape: str, descr: object) -> bytes:
    """Return a version 1.0 header, as NEP 1 has it, with whatever shape and dtype it is to claim."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


DESCR = [("t", "<i8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "<u4")]


@pytest.mark.parametrize("shape", ["(10000000000000,)", "(100000000000000000000,)", "(2,)"])
def test_read_boxes_of_a_header_that_claims_too_much_raises_without_the_memory(tmp_path: Path, shape: str) -> None:
    # The file holds one box of 28 bytes.
    (tmp_path / "a.npy").write_bytes(npy_header(shape, DESCR) + bytes(28))
    with pytest.raises(FormatError, match=rf"\({shape[1:-2]} boxes are claimed, 1 are there\)") as caught:
        read_boxes(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ("(-1,)", DESCR),
        ("(1, 100000000000000000000)", DESCR),
        ("()", DESCR),
        ("(1,)", "<f4"),
        ("(1,)", "nonsense"),
        ("(1,)", [("t", "<i8", (2,)), *DESCR[1:]]),
        ("(1,)", [("t", "<M8[s]"), *DESCR[1:]]),
        ("(1,)", [*DESCR[:5], ("class_id", "S4")]),
        ("(" * 200 + ")" * 200, DESCR),
    ],
    ids=["negative", "table", "scalar", "no-fields", "no-dtype", "two-numbers", "date", "text", "nested"],
)
def test_read_boxes_of_what_is_no_list_of_numbers_raises_one_line(tmp_path: Path, shape: str, descr: object) -> None:
    (tmp_path / "a.npy").write_bytes(npy_header(shape, descr) + bytes(100))
    with pytest.raises(FormatError) as caught:
        read_boxes(tmp_path / "a.npy")
    assert str(tmp_path / "a.npy") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_boxes_leaves_out_rows_that_are_no_box(tmp_path: Path) -> None:
    fields = [("ts", "<f8"), ("x", "<f8"), ("y", "<f8"), ("w", "<f8"), ("h", "<f8"), ("class_id", "<u8")]
    good = (5.0, 1.0, 2.0, 3.0, 4.0, 1)
    rows = [
        good,
        (np.nan, *good[1:]),
        (1e30, *good[1:]),
        (5.0, np.nan, *good[2:]),
        (5.0, 1.0, 2.0, np.inf, 4.0, 1),
        (5.0, 1.0, 2.0, 1e30, 4.0, 1),
        (5.0, 1.0, 2.0, 1e300, 4.0, 1),
        (5.0, 1.0, 2.0, -3.0, 4.0, 1),
        (5.0, 1.0, 2.0, 3.0, 0.0, 1),
        (*good[:5], 2**64 - 1),
        (6.0, *good[1:]),
    ]
    np.save(tmp_path / "a.npy", np.array(rows, fields))
    boxes = read_boxes(tmp_path / "a.npy")
    assert boxes.t.tolist() == [5, 6]
    assert boxes.xyxy.tolist() == [[1, 2, 4, 6]] * 2
    file = read_label_file(tmp_path / "a.npy")
    assert np.flatnonzero(file.is_sound).tolist() == [0, 10]
    assert (len(file.boxes), file.layout) == (11, "old")


@pytest.mark.parametrize(
    ("names", "layout"),
    [(("ts", "confidence"), "old"), (("t", "class_confidence"), "new"), (("ts", "class_confidence"), "mixed")],
)
def test_read_label_file_tells_the_layout_by_its_names(tmp_path: Path, names: tuple[str, str], layout: str) -> None:
    fields = [(names[0], "<i8"), *DESCR[1:], (names[1], "<f4")]
    np.save(tmp_path / "a.npy", np.zeros(0, fields))
    assert read_label_file(tmp_path / "a.npy").layout == layout
