"""The package as a user gets it: names, cheap import, nothing forgotten."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import eventdet

ROOT = Path(__file__).resolve().parents[1]


def _packages_in_the_tree() -> set[str]:
    found = set()
    for top, name in (("eventdet", "eventdet"), ("preprocessing", "eventdet.preprocessing"),
                      ("models", "eventdet.models"), ("cli", "eventdet.cli")):  # fmt: skip
        for marker in (ROOT / top).rglob("__init__.py"):
            parts = marker.parent.relative_to(ROOT / top).parts
            if top != "eventdet" or parts[:1] not in {("preprocessing",), ("models",), ("cli",)}:
                found.add(".".join((name, *parts)))
    return found


def test_package_list_equals_the_tree() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(_packages_in_the_tree())
    assert listed == sorted(listed)


def test_version_is_the_one_in_pyproject() -> None:
    assert eventdet.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_links_show_every_folder_inside_the_namespace() -> None:
    for name in ("preprocessing", "models", "cli"):
        link = ROOT / "eventdet" / name
        assert link.is_symlink()
        assert link.readlink() == Path("..") / name


def test_public_names_are_sorted_and_importable() -> None:
    # ASCII order puts constants and classes before functions, the order ruff's RUF022 keeps too.
    assert len(set(eventdet.__all__)) == len(eventdet.__all__)
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
    for folder in ("eventdet", "preprocessing", "models", "cli", "tests"):
        for source in (ROOT / folder).rglob("*.py"):
            assert not _absolute_imports(source) & {"preprocessing", "models", "cli"}, source


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
