"""The package as a user gets it: names, cheap import, nothing forgotten."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import eventdet

ROOT = Path(__file__).resolve().parents[1]
LINKED = ("benchmarks", "cli", "models", "preprocessing")
"""Folders beside eventdet/ that are installed inside it."""


def _packages_in_the_tree() -> set[str]:
    found = set()
    for top, name in (("eventdet", "eventdet"), ("preprocessing", "eventdet.preprocessing"),
                      ("models", "eventdet.models"), ("cli", "eventdet.cli"),
                      ("benchmarks", "eventdet.benchmarks")):  # fmt: skip
        for marker in (ROOT / top).rglob("__init__.py"):
            parts = marker.parent.relative_to(ROOT / top).parts
            if top != "eventdet" or parts[:1] not in {(name,) for name in LINKED}:
                found.add(".".join((name, *parts)))
    return found


def test_package_list_equals_the_tree() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(_packages_in_the_tree())
    assert listed == sorted(listed)


def test_version_is_the_one_in_pyproject() -> None:
    assert eventdet.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_links_show_every_folder_inside_the_namespace() -> None:
    for name in LINKED:
        link = ROOT / "eventdet" / name
        assert link.is_symlink()
        assert link.readlink() == Path("..") / name


def test_public_names_are_sorted_and_importable() -> None:
    # RUF022 keeps the order: constants, classes, the rest. The homes are what __getattr__ can bring in.
    kinds = {name: (not name.isupper(), not name[0].isupper(), name) for name in eventdet.__all__}
    assert eventdet.__all__ == sorted(eventdet.__all__, key=lambda name: kinds[name])
    assert set(eventdet.__all__) == {*eventdet._HOMES, "__version__"}
    assert dir(eventdet) == sorted(eventdet.__all__)
    for name in eventdet.__all__:
        assert getattr(eventdet, name) is not None


def _absolute_imports(source: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_is_imported_under_a_second_name() -> None:
    # With the project's root on the path, `import models` works and makes a second copy of eventdet.models. (ruff's
    # banned-api cannot hold this rule: it takes the one-dot imports inside the folders for the banned name.)
    for folder in ("eventdet", "tests", *LINKED):
        for source in (ROOT / folder).rglob("*.py"):
            assert not _absolute_imports(source) & set(LINKED), source


def _modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


HEAVY = {"torch", "numba", "cv2", "zarr", "matplotlib", "h5py"}


def test_import_of_eventdet_pulls_in_nothing_heavy() -> None:
    assert not HEAVY & _modules_after("import eventdet")


def test_help_pulls_in_nothing_heavy() -> None:
    loaded = _modules_after(
        "from eventdet.cli.main import main\nsys.argv = ['eventdet', '--help']\n"
        "import io, contextlib\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()"
    )
    assert not HEAVY & loaded


def _pip(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip


def test_wheel_holds_eventdet_alone_and_runs_from_any_folder(tmp_path: Path) -> None:
    # setuptools packs whatever an earlier build left there.
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), ".")
    (wheel,) = tmp_path.glob("eventdet-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"eventdet", f"eventdet-{eventdet.__version__}.dist-info"}
    assert "eventdet/py.typed" in names
    assert "eventdet/models/weights/ems-res10-plain.safetensors" in names
    for package in _packages_in_the_tree():
        assert f"{package.replace('.', '/')}/__init__.py" in names
    _pip("install", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    code = "import eventdet, sys; print(eventdet.__file__); sys.argv[1:] = ['--help']\n"
    code += "from eventdet.cli.main import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown.startswith(str(tmp_path / "site"))
    assert "convert" in shown
