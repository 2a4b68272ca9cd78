"""Verification: a sound store has no findings, one changed bit anywhere is found."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.errors import InputError
from eventdet.geometry import fit_pixels
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store_writer import recording_writer
from eventdet.preprocessing.verify import verify_store
from eventdet.triggers import Triggers

from .stores import SIZE, content_of, events_of, flip_bit, make_store


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def store(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "out.zarr")


def _damage(store: Path, *, deep: bool = False) -> list[tuple[str, str]]:
    return [(path, reason) for path, reason in verify_store(store, deep=deep).findings]


@pytest.mark.parametrize("deep", [False, True])
def test_sound_store_has_no_findings(pristine: Path, deep: bool) -> None:
    before = content_of(pristine)
    report = verify_store(pristine, deep=deep)
    assert (report.num_recordings, report.findings, report.notes) == (3, (), ())
    assert content_of(pristine) == before
    single = verify_store(pristine / "train/a_td.zarr", deep=deep)
    assert (single.num_recordings, single.findings) == (1, ())


def _bits(store: Path, *, count: int, seed: int) -> list[tuple[str, int]]:
    """Choose bits: every file gets its share, small ones too."""
    rng = np.random.default_rng(seed)
    sizes = {name: len(data) for name, data in content_of(store).items()}
    names = sorted(sizes)
    chosen = [names[k % len(names)] for k in rng.permutation(max(count, len(names)))[:count]]
    return [(name, int(rng.integers(8 * sizes[name]))) for name in chosen]


def _assert_each_flip_is_found(store: Path, bits: list[tuple[str, int]]) -> None:
    for name, bit in bits:
        flip_bit(store / name, bit)
        assert verify_store(store, deep=True).findings, f"bit {bit} of {name}"
        flip_bit(store / name, bit)
    assert verify_store(store, deep=True).findings == ()


def test_a_flipped_bit_anywhere_is_found(store: Path) -> None:
    _assert_each_flip_is_found(store, _bits(store, count=12, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["events/*/c/*", "frames/**/c/**/*", "labels/*/c/*", "index/*/c/*", "zarr.json"])
def test_sixty_flipped_bits_of_each_codec_are_found(store: Path, part: str) -> None:
    rng = np.random.default_rng(7)
    paths = [path for path in sorted((store / "train/a_td.zarr").glob(part)) if path.is_file()]
    bits = []
    for number in range(60):
        path = paths[number % len(paths)]
        bits.append((path.relative_to(store).as_posix(), int(rng.integers(8 * path.stat().st_size))))
    _assert_each_flip_is_found(store, bits)


@pytest.mark.slow
def test_flipped_bits_of_the_manifest_are_found(store: Path) -> None:
    path = store / "manifest.jsonl"
    for bit in range(0, 8 * path.stat().st_size, 61):
        flip_bit(path, bit)
        assert verify_store(store).findings, f"bit {bit}"
        flip_bit(path, bit)


def _remove_shard(store: Path) -> None:
    (store / "train/a_td.zarr/events/t/c/0").unlink()


def _cut_shard(store: Path) -> None:
    path = store / "train/a_td.zarr/events/t/c/0"
    path.write_bytes(path.read_bytes()[:-1])


def _add_file(store: Path) -> None:
    (store / "train/a_td.zarr/events/t/c/1").write_bytes(b"")


def _change_metadata(store: Path) -> None:
    path = store / "train/a_td.zarr/events/t/zarr.json"
    path.write_text(path.read_text().replace("300", "301"))


@pytest.mark.parametrize(
    ("harm", "path", "reason"),
    [
        (_remove_shard, "events/t/c/0", "is missing"),
        (_cut_shard, "events/t/c/0", r"must have \d+ bytes, got \d+"),
        (_add_file, "events/t/c/1", "does not belong here"),
        (_change_metadata, "events/t/zarr.json", "content differs from its checksum"),
    ],
    ids=["missing", "cut", "added", "metadata"],
)
def test_quick_form_sees_files_that_are_missing_cut_added_or_described_otherwise(
    store: Path, harm: Callable[[Path], None], path: str, reason: str
) -> None:
    harm(store)
    with pytest.raises(AssertionError, match=reason):
        assert not _damage(store)
    assert [found for found, _ in _damage(store)] == [f"train/a_td.zarr/{path}"]


def test_manifest_is_held_against_the_folders(store: Path) -> None:
    shutil.rmtree(store / "train/a_td.zarr")
    shutil.copytree(store / "train/b_td.zarr", store / "train/c_td.zarr")
    assert _damage(store) == [
        ("manifest.jsonl", "names train/a_td.zarr, which is not there"),
        ("manifest.jsonl", "does not name train/c_td.zarr"),
    ]
    (store / "manifest.jsonl").write_text("{}\n")
    assert _damage(store) == [("manifest.jsonl", "damaged (line 1: 'crc32')")]


def test_leftovers_of_a_killed_writer_are_found(store: Path) -> None:
    (store / "val/.tmp-a_td.zarr").mkdir()
    (store / "val/.lock-a_td.zarr").touch()
    assert [path for path, _ in _damage(store)] == ["val/.lock-a_td.zarr", "val/.tmp-a_td.zarr"]


def test_leftovers_are_found_before_the_first_recording_is_there(tmp_path: Path) -> None:
    (tmp_path / "train/.tmp-a_td.zarr").mkdir(parents=True)
    assert _damage(tmp_path) == [("train/.tmp-a_td.zarr", "is left of a writer that was killed, or is at work")]


def test_recording_without_metadata_is_damaged(store: Path) -> None:
    (store / "val/a_td.zarr/zarr.json").unlink()
    assert _damage(store)[0] == ("val/a_td.zarr/zarr.json", "is missing")


def test_labels_out_of_time_or_off_the_sensor_are_notes(tmp_path: Path) -> None:
    boxes = Boxes.from_xywh([[0, 0, 2, 2], [6, 0, 5, 5]], t=[10**9, 200])
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        writer.add_events().append(events_of(1))
        writer.add_labels(boxes)
        t = events_of(1).t
        writer.publish({"num_events": 300, "t_first_us": int(t[0]), "t_last_us": int(t[-1])})
    report = verify_store(tmp_path / "r.zarr")
    assert report.findings == ()
    assert [note.reason for note in report.notes] == [
        "labels: 1 of 2 lie before the first or after the last event",
        "labels: 1 of 2 reach beyond the sensor",
    ]


def _write_lies(path: Path, **attributes: int) -> None:
    """Write a recording whose files are sound and whose attributes are not."""
    t = events_of(1).t
    truth = {"num_events": 300, "t_first_us": int(t[0]), "t_last_us": int(t[-1])}
    representation = Representation("histogram", 2)
    with recording_writer(path, SIZE) as writer:
        writer.add_events().append(events_of(1))
        writer.add_labels(Boxes.from_xywh([[0, 0, 2, 2]], t=[200]))
        writer.add_triggers(Triggers(np.array([200]), np.array([1], np.uint8), np.array([0], np.uint8)))
        frames = writer.add_frames(representation, fit_pixels(SIZE, SIZE), start_us=0, window_us=9, stride_us=9)
        frames.put(np.zeros(representation.shape(SIZE), np.uint8))
        writer.publish(truth | attributes)


@pytest.mark.parametrize(
    ("lie", "deep", "part"),
    [
        ({"num_events": 301}, False, "events/t"),
        ({"num_labels": 2}, False, "labels/t"),
        ({"num_triggers": 2}, False, "triggers/t"),
        ({"num_frames": 2}, False, "frames/histogram"),
        ({"width": 9}, False, "frames/histogram"),
        ({"width": 7}, True, "events/word"),
        ({"t_last_us": 5}, True, "events/t"),
    ],
    ids=lambda value: str(value),
)
def test_counts_and_extent_are_held_against_the_arrays(
    tmp_path: Path, lie: dict[str, int], deep: bool, part: str
) -> None:
    _write_lies(tmp_path / "r.zarr")
    assert verify_store(tmp_path / "r.zarr", deep=True).findings == ()
    _write_lies(tmp_path / "lie.zarr", **lie)
    assert f"lie.zarr/{part}" in [path for path, _ in _damage(tmp_path / "lie.zarr", deep=deep)]


def test_order_and_index_are_held_against_the_stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What a faulty writer would seal: the checksums are right, the content is not.
    monkeypatch.setattr("eventdet.preprocessing.store_writer.seal", lambda _group: None)
    monkeypatch.setattr("eventdet.preprocessing.verify.find_damaged_files", lambda _group, deep: iter(()))
    _write_lies(tmp_path / "r.zarr")
    group = zarr.open_group(tmp_path / "r.zarr")
    index = group["index/ms"]
    assert isinstance(index, zarr.Array)
    index[2] = np.asarray(index)[1]
    assert ("r.zarr/index/ms", "differs from the stamps") in _damage(tmp_path / "r.zarr", deep=True)
    stamps = group["events/t"]
    assert isinstance(stamps, zarr.Array)
    stamps[5] = 10**6
    assert _damage(tmp_path / "r.zarr", deep=True)[0] == ("r.zarr/events/t", "stamps step back among events 0 to 300")


def test_source_is_compared_where_it_is_given(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    assert verify_store(store, source=tmp_path / "gen1").findings == ()
    flip_bit(tmp_path / "gen1/train/a_td.dat", 4000)
    (tmp_path / "gen1/val/a_bbox.npy").unlink()
    findings = verify_store(store, source=tmp_path / "gen1").findings
    assert [(finding.path, finding.reason.rpartition(" ")[2]) for finding in findings] == [
        ("train/a_td.zarr", "changed"),
        ("val/a_td.zarr", "there"),
    ]


def test_folder_without_a_store_raises(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stored recording"):
        verify_store(tmp_path)


def test_verify_prints_a_line_a_finding_and_exits_3(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(store), "--deep"]) == 0
    assert capsys.readouterr().out == f"{store}: 3 recordings, 0 findings, all bytes read\n"
    flip_bit(store / "val/a_td.zarr/events/word/c/0", 100)
    assert run(["verify", str(store)]) == 0
    capsys.readouterr()
    assert run(["verify", str(store), "--deep"]) == 3
    assert capsys.readouterr().out.splitlines()[0] == (
        "damaged: val/a_td.zarr/events/word/c/0: content differs from its checksum"
    )
    assert run(["verify", str(store), "--deep", "--json"]) == 3
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 1
