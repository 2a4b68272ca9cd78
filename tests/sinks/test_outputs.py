"""Several outputs as one: checked together, written together, and one that fails does not take the others with it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import EventdetError, OptionError, OutputError
from eventdet.sinks import Outputs, StreamHeader, StreamTotals, WindowResult

av = pytest.importorskip("av", reason="the extra video is not installed")

TOTALS = StreamTotals(5, 2000, 8, recorded_s=0.25, wall_s=0.5, repairs={"trailing_bytes": 3})
NEEDS_FULL_DISK = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _old_files(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).write_bytes(b"old")
    return [str(folder / name) for name in names]


@pytest.mark.parametrize(
    ("last", "error"),
    [
        ("b.tsv", OptionError),
        ("rtsp://host/b.mp4", OptionError),
        ("picture.png", OptionError),
        ("%q.png", OptionError),
        ("old.jsonl", OptionError),
        ("../{folder}/old.mp4", OptionError),
        ("old.jsonl/b.npy", OutputError),
    ],
)
def test_a_wrong_target_leaves_every_file_untouched(
    tmp_path: Path, header: StreamHeader, last: str, error: type[EventdetError]
) -> None:
    targets = _old_files(tmp_path, "old.jsonl", "old.npy", "old.mp4")
    wrong = last if "://" in last else str(tmp_path / last.format(folder=tmp_path.name))
    with pytest.raises(error):
        Outputs([*targets, wrong], header=header)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.jsonl", "old.mp4", "old.npy"]
    assert all(path.read_bytes() == b"old" for path in tmp_path.iterdir())


def test_what_is_read_is_no_output(tmp_path: Path, header: StreamHeader) -> None:
    _old_files(tmp_path, "a.npy", "a_bbox.npy")
    (tmp_path / "linked.npy").hardlink_to(tmp_path / "a.npy")
    (tmp_path / "pointing.npy").symlink_to("a.npy")
    inputs = [tmp_path / "a.npy", tmp_path / "a_bbox.npy", tmp_path / "missing"]
    for name in ("a.npy", "a_bbox.npy", "linked.npy", "pointing.npy", f"../{tmp_path.name}/a.npy"):
        with pytest.raises(OptionError, match="is what the stream reads"):
            Outputs([str(tmp_path / name)], header=header, inputs=inputs)
        with pytest.raises(OptionError, match="is what the stream reads"):
            Outputs([], header=header, inputs=inputs, other_files=[str(tmp_path / name)])
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"old"}


def test_a_file_that_the_run_writes_anyhow_is_no_output(tmp_path: Path, header: StreamHeader) -> None:
    (target,) = _old_files(tmp_path, "a.json")
    with pytest.raises(OptionError, match="is given twice"):
        Outputs([target], header=header, other_files=[target])
    assert Path(target).read_bytes() == b"old"


def test_windows_that_no_page_took_are_counted(header: StreamHeader, results: list[WindowResult]) -> None:
    pytest.importorskip("uvicorn", reason="the extra web is not installed")
    target = "web://127.0.0.1:0"
    with Outputs([target], header=header) as outputs:
        for result in results:
            outputs.write(result)
        report = outputs.deliveries[target]
        assert (report.sent, report.dropped, report.queued, report.is_connected) == (0, 4, 1, True)
        outputs.conclude(TOTALS)
    report = outputs.deliveries[target]
    assert (report.sent, report.dropped, report.queued, report.is_connected) == (0, 5, 0, False)
    assert outputs.sinks[0].note == "pages 0, shown 0, not shown 5"


def test_the_standard_output_twice_is_refused(header: StreamHeader) -> None:
    with pytest.raises(OptionError, match="output - is given twice"):
        Outputs(["-", "-"], header=header)


def test_an_error_before_the_first_window_leaves_earlier_files(tmp_path: Path, header: StreamHeader) -> None:
    targets = _old_files(tmp_path, "old.npy", "old.mp4", "old.gif")
    with pytest.raises(ZeroDivisionError), Outputs(targets, header=header):
        raise ZeroDivisionError
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"] * 3


def test_every_output_holds_the_same_windows(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    names = ["a.mp4", "b.gif", "c.jsonl", "d.npy"]
    with Outputs([str(tmp_path / name) for name in names], header=header) as outputs:
        for result in results:
            outputs.write(result)
        outputs.conclude(TOTALS)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert _frames(tmp_path / "a.mp4") == _frames(tmp_path / "b.gif") == len(results)
    records = _records(tmp_path / "c.jsonl")
    assert len(records) == 1 + len(results) + 1
    assert records[-1]["n_windows"] == 5
    assert len(np.load(tmp_path / "d.npy")) == sum(len(result.boxes) for result in results)


FULL_DISK = """
import sys
import numpy as np
from eventdet import GEN1, Boxes, Events
from eventdet.errors import OutputError
from eventdet.sinks import Outputs, StreamHeader, WindowResult

header = StreamHeader("a", "dat", GEN1, ("car",), 50000, 50000, "m", "0", "keep", True, "0")
rng = np.random.default_rng(1)
count = 0
try:
    with Outputs(sys.argv[1:], header=header) as outputs:
        for seq in range(60):
            t, x, y = np.full(9000, seq * 50000), rng.integers(0, 304, 9000), rng.integers(0, 240, 9000)
            events = Events.from_columns(t=t, x=x, y=y, p=t % 2)
            outputs.write(WindowResult(seq, seq * 50000, seq * 50000 + 50000, 9000, Boxes.empty(), events=events))
            count += 1
except OutputError as error:
    print(count, error)
"""


@NEEDS_FULL_DISK
@pytest.mark.parametrize("full", ["full.jsonl", "full.mp4", "full.gif"])
def test_a_full_disk_loses_one_output_and_not_the_others(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], full: str
) -> None:
    # In a process of its own: FFmpeg crashes when it is flushed after a failed write.
    (tmp_path / full).symlink_to("/dev/full")
    targets = [str(tmp_path / name) for name in ("a.mp4", full, "b.jsonl", "c.npy")]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *targets], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count, message = done.stdout.strip().split(" ", 1)
    assert message == f"output {tmp_path / full} cannot be written: No space left on device"
    # The one that failed in the header fails before the first window: then nothing is left of the others.
    if full != "full.jsonl":
        assert _frames(tmp_path / "a.mp4") == len(_records(tmp_path / "b.jsonl")) - 1 in (int(count), int(count) + 1)
        assert np.load(tmp_path / "c.npy").shape == (0,)
    assert not list(tmp_path.glob(".*"))


def _write_all(outputs: Outputs, results: list[WindowResult]) -> None:
    with outputs:
        for result in results:
            outputs.write(result)


class _Failing:
    """A sink that takes some windows and then fails."""

    target, note, is_done = "failing", "", False

    def __init__(self, after: int) -> None:
        self.left = after
        self.log: list[str] = []

    def write(self, _result: WindowResult) -> None:
        self.left -= 1
        if self.left < 0:
            raise OutputError("output failing cannot be written: No space left on device")

    def conclude(self, _totals: StreamTotals) -> None:
        self.log.append("conclude")

    def close(self) -> None:
        self.log.append("close")

    def discard(self) -> None:
        self.log.append("discard")


def test_a_failing_output_is_discarded_and_the_others_get_the_window(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    failing = _Failing(after=2)
    outputs = Outputs([str(tmp_path / "a.mp4"), str(tmp_path / "b.jsonl")], header=header)
    outputs.sinks.insert(0, failing)  # type: ignore[arg-type]  # it is one by its methods
    with pytest.raises(OutputError, match="output failing"):
        _write_all(outputs, results)
    assert failing.log == ["discard"]
    assert _frames(tmp_path / "a.mp4") == 3
    assert [record.get("seq") for record in _records(tmp_path / "b.jsonl")] == [None, 0, 1, 2]


def test_two_failing_outputs_are_both_named(header: StreamHeader, results: list[WindowResult]) -> None:
    outputs = Outputs([], header=header)
    outputs.sinks += [_Failing(after=0), _Failing(after=0)]  # type: ignore[list-item]  # they are by their methods
    with pytest.raises(OutputError, match=r"output failing .*; output failing"):
        outputs.write(results[0])


def test_outputs_are_done_when_every_reader_has_gone(tmp_path: Path, header: StreamHeader) -> None:
    assert not Outputs([], header=header).is_done
    with Outputs([str(tmp_path / "a.jsonl")], header=header) as outputs:
        assert not outputs.is_done
        outputs.sinks[0].is_done = True
        assert outputs.is_done
