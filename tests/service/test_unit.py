"""The unit in the documentation, as systemd's own checker reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_CHECKER = shutil.which("systemd-analyze")
_PAGE = Path(__file__).parents[2] / "docs" / "service.md"


@pytest.mark.skipif(_CHECKER is None, reason="systemd-analyze is not installed")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path: Path) -> None:
    unit = re.search(r"```ini\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    assert unit is not None
    assert _CHECKER is not None
    # The program must exist; where ours is installed is the user's affair.
    text, replaced = re.subn(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit[1])
    assert replaced == 1
    path = tmp_path / "eventdet@front.service"
    path.write_text(text)
    found = subprocess.run([_CHECKER, "verify", str(path)], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
