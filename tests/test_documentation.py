"""Every command and every Python block of README and docs is run, in order, in one folder a page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventdet.formats.transcode import written_suffixes

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

RUN_ELSEWHERE = {
    "scripts/test": "is what runs this test",
    "scripts/test --all": "is what runs this test, with the slow ones",
    "eventdet import-weights best.pt -o ours.safetensors": "tests/models/test_reference_import.py writes such files",
    "scripts/train_zoo --evaluate": "minutes; test_bundled_weights_score_what_the_docs_say, one of the slow tests",
    'pip install -c constraints.txt ".[video]"': "tests/test_packaging.py builds and installs the wheel",
}
"""Commands that are shown and not run here, with who runs them."""

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _commands(page: Path) -> list[list[str]]:
    commands = []
    for language, body in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            commands.append([sys.executable, "-c", body])
            continue
        for line in body.splitlines():
            if line.startswith("$ ") and line[2:].partition("  #")[0].strip() not in RUN_ELSEWHERE:
                commands.append(["bash", "-euc", line[2:]])
    return commands


def _environment() -> dict[str, str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return os.environ | {"PATH": path}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_succeed_in_order(page: Path, tmp_path: Path) -> None:
    for command in _commands(page):
        # Scripts are named from the project's root, as a reader in a clone would; the rest runs anywhere.
        folder = ROOT if command[-1].startswith("scripts/") else tmp_path
        done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page.name}: {command[-1]}\n{done.stdout}\n{done.stderr}"


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_endings_that_the_table_of_recordings_calls_written_are() -> None:
    table = (ROOT / "docs/recordings.md").read_text(encoding="utf-8").partition("\n\n")[2].partition("\n\n")[0]
    written = set()
    for row in table.splitlines()[3:]:
        _, _, file, _, write, *_ = (cell.strip() for cell in row.split("|"))
        if write.startswith("yes"):
            written.update(re.findall(r"`\*(\.\w+)`", file))
        elif write.startswith("as "):
            written.update(re.findall(r"`\*(\.\w+)`", write))
    assert sorted(written) == written_suffixes()
