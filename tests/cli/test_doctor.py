import json

import pytest

from eventdet import preprocessing
from eventdet.cli.main import run


def _checks(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_a_machine_that_runs_the_tests_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    checks = _checks(capsys)
    assert all(check["ok"] for check in checks.values())
    assert {"numpy", "torch", "store codecs", "picture codecs", "detector (synthetic)"} <= checks.keys()


def test_whatever_breaks_is_a_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("codec zstd went missing\nmore about it")

    monkeypatch.setattr(preprocessing, "convert", broken)
    assert run(["doctor", "--json"]) == 1
    checks = _checks(capsys)
    assert checks["store codecs"] == {
        "name": "store codecs",
        "ok": False,
        "detail": "RuntimeError: codec zstd went missing",
    }
    assert checks["detector (synthetic)"]["ok"]
