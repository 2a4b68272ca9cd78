"""NumPy, text and HDF5 files of events, in the layouts that other tools write."""

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError, GeometryError, InputError, MissingExtraError, OptionError, OutputError
from eventdet.events import Events
from eventdet.formats import Decoder, inspect_recording, open_recording
from eventdet.formats._columns import column_encoding, find_columns, pack_columns
from eventdet.formats.hdf5 import write_hdf5
from eventdet.formats.npy import write_npy, write_npz
from eventdet.formats.text import write_text
from eventdet.geometry import GEN1, SensorSize

from .reference import Row, random_events, rows

Write: TypeAlias = Callable[..., None]

WRITERS = {"a.npy": write_npy, "a.npz": write_npz, "a.csv": write_text, "a.h5": write_hdf5}
ROWS: list[Row] = [(5, 1, 2, 0), (1_500_000, 300, 4, 1), (1_500_001, 0, 239, 1)]

every_format = pytest.mark.parametrize("name", WRITERS)


def columns_of(given_rows: list[Row]) -> dict[str, Any]:
    return dict(zip("txyp", (np.array(column) for column in zip(*given_rows, strict=True)), strict=True))


def read(path: Path) -> list[Row]:
    return rows(Events.concatenate(open_recording(path, sensor_size=GEN1).chunks()))


@every_format
@pytest.mark.parametrize("first_us", [0, 1_700_000_000_000_000], ids=["from-zero", "unix-time"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str, first_us: int) -> None:
    events = random_events(3000)
    events = Events(events.t + first_us, events.x, events.y, events.p)
    WRITERS[name](tmp_path / name, iter([events[:10], events[10:10], events[10:]]), GEN1)
    recording = open_recording(tmp_path / name, sensor_size=GEN1, policy="strict")
    assert rows(Events.concatenate(recording.chunks(700))) == rows(events)
    assert (recording.num_events, recording.sensor_size) == (3000, GEN1)
    assert rows(recording.slice(first_us + 1000, first_us + 2000)) == rows(
        events.between(first_us + 1000, first_us + 2000)
    )
    assert inspect_recording(tmp_path / name, sensor_size=GEN1).repairs == {}


@every_format
def test_no_events_are_written_and_read(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, Events.empty(), GEN1)
    assert open_recording(tmp_path / name, sensor_size=GEN1).num_events == 0


@every_format
def test_bad_events_and_folders_raise_and_leave_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="must lie on the 10x10 sensor"):
        WRITERS[name](tmp_path / name, random_events(100), SensorSize(10, 10))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="cannot be written"):
        WRITERS[name](tmp_path / "missing" / name, Events.empty(), GEN1)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.h5"])
def test_sensor_size_is_kept_where_the_format_has_a_place(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, random_events(10), GEN1)
    assert open_recording(tmp_path / name).sensor_size == GEN1


def test_npy_needs_the_sensor_size(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", random_events(10), GEN1)
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        open_recording(tmp_path / "a.npy")


@every_format
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_file_cut_anywhere_reads_or_raises(tmp_path: Path, name: str, share: float) -> None:
    WRITERS[name](tmp_path / name, random_events(500), GEN1)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    outcome = ""
    try:
        assert len(read(tmp_path / name)) < 500
    except InputError as error:
        outcome = str(error)
    assert "\n" not in outcome


@pytest.mark.parametrize(
    "dtype",
    [
        [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "i1")],
        [("x", "<u2"), ("y", "<u2"), ("polarity", "?"), ("timestamp", "<u8")],
        [("timestamp", "<f8"), ("x", "<f4"), ("y", "<f4"), ("pol", "<f4"), ("spare", "<i4")],
        [("ts", ">i8"), ("xs", ">i4"), ("ys", ">i4"), ("ps", ">i4")],
    ],
    ids=["faery", "dv", "floats", "big-endian"],
)
def test_npy_fields_are_found_by_their_names(tmp_path: Path, dtype: list[tuple[str, str]]) -> None:
    array = np.zeros(len(ROWS), dtype)
    names = find_columns(array.dtype.names or ())
    assert names is not None
    for key, column in columns_of(ROWS).items():
        array[names[key]] = column
    np.save(tmp_path / "a.npy", array)
    assert read(tmp_path / "a.npy") == ROWS


@pytest.mark.parametrize("dtype", ["<i8", "<f8"])
def test_npy_rows_without_names_are_t_x_y_p(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", np.array(ROWS, dtype))
    assert read(tmp_path / "a.npy") == ROWS


def test_npy_rows_in_columns_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # np.stack of columns, transposed, is saved column after column.
    monkeypatch.setattr("eventdet.formats.npy.BLOCK_EVENTS", 700)
    events = random_events(3000)
    np.save(tmp_path / "a.npy", np.stack([column.astype(np.int64) for column in events]).T)
    assert read(tmp_path / "a.npy") == rows(events)
    recording = open_recording(tmp_path / "a.npy", sensor_size=GEN1)
    assert rows(recording.slice(40_000, 60_000)) == rows(events.between(40_000, 60_000))


def test_one_damaged_time_does_not_turn_microseconds_into_seconds(tmp_path: Path) -> None:
    lines = [f"{100 * k},1,2,1" for k in range(200)]
    lines[7] = "700.5,1,2,1"
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert [t for t, *_ in read(tmp_path / "a.csv")] == [100 * k for k in range(200)]


def test_times_with_a_fraction_are_seconds(tmp_path: Path) -> None:
    columns = columns_of(ROWS)
    np.savez(tmp_path / "a.npz", **(columns | {"t": columns["t"] / 1e6}))
    assert read(tmp_path / "a.npz") == ROWS


def test_npz_with_one_structured_array_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", events=Events.from_columns(**columns_of(ROWS)).to_structured())
    assert read(tmp_path / "a.npz") == ROWS


def npz_of(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zip_of(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz_of(a=np.zeros(3), b=np.zeros(3)), "they need arrays t, x, y, p, got a, b"),
        (npz_of(**(columns_of(ROWS) | {"x": np.zeros(2)})), "must be number arrays of one length"),
        (npz_of(**(columns_of(ROWS) | {"x": np.array(["a", "b", "c"])})), "must be number arrays of one length"),
        (npz_of(**columns_of(ROWS), height=np.array(0), width=np.array(9)), "height and width must be two numbers"),
        (zip_of("readme.txt", b"hello"), "they need arrays t, x, y, p, got none"),
        (zip_of("events.npy", b"hello"), "broken .npy header"),
        (b"PK\x03\x04" + bytes(100), "broken .npz"),
        (b"\x93NUMPY\x01\x00\x00", "broken .npy header"),
    ],
    ids=["names", "lengths", "text", "size", "no-array", "no-npy", "no-zip", "cut-header"],
)
def test_numpy_file_without_events_raises_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        open_recording(path, sensor_size=GEN1)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_npy_with_python_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([print, None, None, None], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="cannot read an array of dtype object"):
        open_recording(tmp_path / "a.npy", sensor_size=GEN1)


@pytest.mark.parametrize(
    ("shape", "descr"), [((10**15,), "<i8"), ((10**15, 4), "<i8"), ((5,), "|V2000000000"), ((-5,), "<i8")]
)
def test_npy_length_that_is_not_there_is_not_believed(tmp_path: Path, shape: tuple[int, ...], descr: str) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    (tmp_path / "a.npy").write_bytes(header.getvalue() + bytes(100))
    with pytest.raises(FormatError, match=r"cut, |cannot read an array|no events"):
        read(tmp_path / "a.npy")


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_csv_with_the_index_of_pandas_is_read_without_it(tmp_path: Path, separator: str) -> None:
    # As DataFrame.to_csv writes: a column without a name before the others.
    lines = ["", "x", "y", "t", "p"], *([str(k), str(x), str(y), str(t), str(p)] for k, (t, x, y, p) in enumerate(ROWS))
    (tmp_path / "a.csv").write_text("".join(separator.join(line) + "\n" for line in lines))
    assert read(tmp_path / "a.csv") == ROWS


@pytest.mark.parametrize("header", ["", "t,x,y,p\n", "# 304x240\n"], ids=["none", "names", "size"])
def test_csv_with_a_byte_order_mark_and_truth_values_is_read(tmp_path: Path, header: str) -> None:
    lines = "".join(f"{t},{x},{y},{bool(p)}\n" for t, x, y, p in ROWS)
    (tmp_path / "a.csv").write_text(header + lines, encoding="utf-8-sig")
    assert read(tmp_path / "a.csv") == ROWS
    assert inspect_recording(tmp_path / "a.csv", sensor_size=GEN1).repairs == {}


def test_csv_longer_than_a_block_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.formats.text._BLOCK_BYTES", 50)
    events = random_events(300)
    write_text(tmp_path / "a.csv", events, GEN1)
    assert read(tmp_path / "a.csv") == rows(events)


def write_dsec(path: Path, **options: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, column in columns_of(ROWS).items():
            file.create_dataset(f"events/{name}", data=column - (5 if name == "t" else 0), **options)
        file["t_offset"] = 5
        file["ms_to_idx"] = np.zeros(1501, np.uint64)


def test_dsec_stamps_get_their_offset(tmp_path: Path) -> None:
    write_dsec(tmp_path / "events.h5")
    assert read(tmp_path / "events.h5") == ROWS


def test_rvt_layout_tells_its_sensor(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a_td.dat.h5", "w") as file:
        for name, column in columns_of(ROWS).items():
            file[f"events/{name}"] = column
        file["events/height"], file["events/width"] = 240, 304
    recording = open_recording(tmp_path / "a_td.dat.h5")
    assert recording.sensor_size == GEN1
    assert rows(recording.slice(0, 10**9)) == ROWS


def test_metavision_records_are_read_when_not_compressed_by_its_filter(tmp_path: Path) -> None:
    records = np.zeros(len(ROWS), [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    for name, column in columns_of(ROWS).items():
        records[name] = column
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["CD/events"] = records
        file.attrs["geometry"] = "304x240"
    recording = open_recording(tmp_path / "a.hdf5")
    assert (recording.sensor_size, rows(recording.slice(0, 10**9))) == (GEN1, ROWS)


def write_with_filter(path: Path, code: int) -> None:
    # An optional filter may be missing when a file is written; the header names it all the same.
    with h5py.File(path, "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((3,))
        creation.set_filter(code, h5py.h5z.FLAG_OPTIONAL)
        for name in "txyp":
            space = h5py.h5s.create_simple((3,))
            group = file.require_group("events").id
            h5py.h5d.create(group, name.encode(), h5py.h5t.NATIVE_INT64, space, creation)


def test_metavision_filter_is_named_when_it_is_missing(tmp_path: Path) -> None:
    write_with_filter(tmp_path / "a.h5", 0x8ECF)
    with pytest.raises(FormatError, match="compressed by Metavision's ECF filter") as caught:
        open_recording(tmp_path / "a.h5", sensor_size=GEN1)
    assert "HDF5_PLUGIN_PATH" in caught.value.hint


def test_filter_of_a_plugin_asks_for_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    write_with_filter(tmp_path / "a.h5", 300)
    with pytest.raises(MissingExtraError, match="compressed by filter 300"):
        open_recording(tmp_path / "a.h5", sensor_size=GEN1)


def test_dsec_compressed_by_blosc_is_read_with_the_extra(tmp_path: Path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    write_dsec(tmp_path / "events.h5", **hdf5plugin.Blosc(cname="zstd"))
    assert read(tmp_path / "events.h5") == ROWS


def test_written_hdf5_has_the_index_of_dsec(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "a.h5", Events.from_columns(t=[0, 999, 1000, 3500], x=[0] * 4, y=[0] * 4, p=[0] * 4), GEN1)
    with h5py.File(tmp_path / "a.h5") as file:
        # Events before 0, 1, 2 and 3 ms, and before the end.
        assert file["ms_to_idx"][:].tolist() == [0, 2, 3, 3, 4]
        assert (file["t_offset"][()], file["events/height"][()], file["events/width"][()]) == (0, 240, 304)


def test_hdf5_without_events_raises_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["pictures"] = np.zeros(3)
        file["events/t"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"no events, they need t, x, y, p in .* got events, pictures"):
        open_recording(tmp_path / "a.h5", sensor_size=GEN1)


def test_hdf5_with_columns_of_two_lengths_raises_instead_of_losing_events(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, length in zip("txyp", (5, 5, 5, 3), strict=True):
            file[f"events/{name}"] = np.zeros(length, np.int64)
    with pytest.raises(FormatError, match=r"must be of one length, got \[5, 5, 5, 3\]"):
        open_recording(tmp_path / "a.h5", sensor_size=GEN1)


numbers = st.one_of(st.integers(-3, 45), st.integers(-(2**62), 2**62))


@given(st.lists(st.tuples(numbers, numbers, numbers, st.integers(-3, 3)), max_size=40), st.integers(1, 9))
def test_column_kernel_agrees_with_its_rules(given_rows: list[Row], chunk: int) -> None:
    decoder = Decoder(column_encoding("columns"), SensorSize(20, 40))
    given_columns = np.array(given_rows, np.int64).reshape(-1, 4)
    got = [
        row
        for batch in decoder.iter_events(pack_columns(list(given_columns.T), in_seconds=False), num_events=chunk)
        for row in rows(batch)
    ]
    clock, expected = 0, []
    for t, x, y, p in given_rows:
        if 0 <= x < 40 and 0 <= y < 20:
            clock = max(clock, t)
            expected.append((clock, x, y, int(p > 0)))
    assert got == expected
    assert decoder.report.out_of_range_dropped == len(given_rows) - len(expected)
