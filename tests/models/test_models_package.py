"""The package's front."""

import subprocess
import sys

import eventdet.models


def test_public_names_are_sorted_and_present() -> None:
    assert sorted(eventdet.models.__all__) == eventdet.models.__all__
    for name in eventdet.models.__all__:
        assert hasattr(eventdet.models, name)


def test_import_of_the_package_does_not_load_torch() -> None:
    code = "import sys, eventdet.models; print('torch' in sys.modules, 'numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
