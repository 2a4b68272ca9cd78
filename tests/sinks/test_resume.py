"""A run that was killed anywhere is continued to the files of a run that was not."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from eventdet.errors import OptionError
from eventdet.sinks import Outputs, StreamHeader, StreamTotals, WindowResult, plan_resume
from eventdet.sinks.resume import ResumePlan

TOTALS = StreamTotals(5, 1600, 8, recorded_s=0.25, wall_s=0.5)
NAMES = ["a.jsonl", "b.csv", "c.txt", "d.jsonl"]


def _run(targets: list[str], header: StreamHeader, results: list[WindowResult], plan: ResumePlan | None = None) -> None:
    with Outputs(targets, header=header, resume=plan) as outputs:
        for result in results:
            outputs.write(result)
        outputs.conclude(TOTALS)


@pytest.fixture
def whole(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> dict[str, bytes]:
    folder = tmp_path / "whole"
    _run([str(folder / name) for name in NAMES], header, results)
    return {name: (folder / name).read_bytes() for name in NAMES}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.5, 0.65, 0.8, 0.93, 1.0])
def test_a_run_cut_anywhere_is_continued_exactly(
    share: float, tmp_path: Path, header: StreamHeader, results: list[WindowResult], whole: dict[str, bytes]
) -> None:
    targets = [str(tmp_path / name) for name in NAMES]
    # JSON lines are never ahead of the others, whatever the moment; the second file of them is behind the first.
    for name, kept in zip(NAMES, (share, min(1.0, share + 0.3), min(1.0, share + 0.2), share / 2), strict=True):
        (tmp_path / name).write_bytes(whole[name][: int(kept * len(whole[name]))])
    _run(targets, header, results, plan_resume(targets, header=header))
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == whole


def test_nothing_to_continue_is_a_run_from_the_start(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], whole: dict[str, bytes]
) -> None:
    targets = [str(tmp_path / name) for name in NAMES]
    plan = plan_resume(targets, header=header)
    assert plan == ResumePlan(0, 0, {})
    _run(targets, header, results, plan)
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == whole


def test_windows_of_a_live_source_are_numbered_on(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = str(tmp_path / "a.jsonl")
    _run([target], header, results[:3])
    _run([target], header, results[:2], plan_resume([target], header=header, renumber=True))
    records = [json.loads(line) for line in Path(target).read_text().splitlines()]
    assert [record.get("seq") for record in records] == [None, 0, 1, 2, 3, 4, None]
    assert [record.get("type") for record in records].count("header") == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jsonl", "b.mp4"], "only .jsonl, .csv and .txt can"),
        (["a.jsonl", "b.npy"], "cannot be continued"),
        (["b.csv"], "needs a .jsonl output"),
        (["-"], "needs a .jsonl output"),
    ],
)
def test_what_cannot_be_continued_is_refused(
    names: list[str], message: str, tmp_path: Path, header: StreamHeader
) -> None:
    with pytest.raises(OptionError, match=message):
        plan_resume([name if name == "-" else str(tmp_path / name) for name in names], header=header)


def test_other_settings_are_refused(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = str(tmp_path / "a.jsonl")
    _run([target], header, results)
    before = Path(target).read_bytes()
    with pytest.raises(OptionError, match="the earlier run had window_us 50000, this one has 20000"):
        plan_resume([target], header=replace(header, window_us=20_000))
    with pytest.raises(OptionError, match=r"the earlier run had rules '', this one has 'conf 0\.4'"):
        plan_resume([target], header=replace(header, rules="conf 0.4"))
    assert plan_resume([target], header=replace(header, hardware="another machine")).next_seq == 5
    assert Path(target).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.csv", None, "b.csv: is missing, the .jsonl has windows up to 4"),
        ("b.csv", b"", "b.csv: is empty"),
        ("b.csv", b"my own table\n", "b.csv: line 1 is not that of an output"),
        ("b.csv", b"seq,t0_us,t_us,x,y,w,h,score,class_id,name,track_id\n", "b.csv: has 0 boxes up to window 4"),
        ("c.txt", None, "c.txt: is missing"),
        ("c.txt", b"", "c.txt: has 0 boxes up to window 4, the .jsonl has 8"),
        ("c.txt", b"my own notes\n", "c.txt: line 1 is not that of an output"),
    ],
)
def test_a_table_that_lacks_what_was_written_is_refused_untouched(
    name: str, content: bytes | None, message: str, tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    targets = [str(tmp_path / "a.jsonl"), str(tmp_path / name)]
    _run(targets[:1], header, results)
    before = Path(targets[0]).read_bytes()
    if content is not None:
        Path(targets[1]).write_bytes(content)
    with pytest.raises(OptionError, match=re.escape(message)) as raised:
        plan_resume(targets, header=header)
    assert raised.value.hint == "leave this output out, or start anew without --resume"
    assert Path(targets[0]).read_bytes() == before
    assert Path(targets[1]).exists() == (content is not None)
    assert content is None or Path(targets[1]).read_bytes() == content


def test_tables_of_windows_without_boxes_are_continued(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    targets = [str(tmp_path / name) for name in NAMES]
    _run(targets, header, results[2:3])
    plan = plan_resume(targets, header=header)
    assert (plan.next_seq, plan.keep_bytes[targets[2]]) == (3, 0)
    _run(targets, header, results, plan)
    assert [line[0] for line in Path(targets[1]).read_text().splitlines()] == list("s3344")


@pytest.mark.parametrize("arithmetic", ["bfloat16", "openvino float32", "int8"])
def test_other_arithmetic_is_refused_but_not_another_machine(
    arithmetic: str, tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = str(tmp_path / "a.jsonl")
    _run([target], replace(header, hardware="AMD EPYC, 2 cores, 2 threads, float32"), results)
    other = replace(header, hardware="Xeon, 8 cores, 1 threads, float32")
    assert plan_resume([target], header=other).next_seq == 5
    message = f"the earlier run computed in float32, this one in {arithmetic}"
    with pytest.raises(OptionError, match=message) as raised:
        plan_resume([target], header=replace(header, hardware=f"AMD EPYC, 2 cores, 2 threads, {arithmetic}"))
    assert "--dtype and --runtime" in raised.value.hint
