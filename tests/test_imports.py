"""The one-way rule of imports: page, command line -> pipeline -> stages -> models, pure functions -> contracts."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "stit_core"
# What a module may import of stit_core, by the folder it lies in, or by its name where it lies in none: whatever stands
# in an earlier row, and its own folder. Nothing is named twice, and what is named nowhere fails.
ORDER = (
    ("errors",),
    ("settings", "regions"),
    ("config", "runtime", "artefacts"),
    ("geometry", "images", "marks", "metrics", "memory", "warps", "turning"),
    ("models",),
    ("faces",),
    ("change", "fitting"),
    ("stages", "store"),
    ("media", "packs"),
    ("directions",),
    ("provenance",),
    ("report", "estimates"),
    ("checks", "scene"),
    ("pipeline",),
    ("pasting",),
    ("previews",),
    ("whole_run", "partial_video"),
    ("several_people",),
    ("workers",),
    ("review", "batch"),
    ("ranges",),
    ("cli",),
    ("__main__",),
)
CONTRACTS = ("config", "runtime", "artefacts")
ROWS = {name: row for row, names in enumerate(ORDER) for name in names}
READERS = {"read_bytes", "read_text", "read_file", "open", "load_file", "safe_open", "from_pretrained", "urlopen"}


def imports_of(path: Path) -> set[str]:
    """Names of all modules that a file imports, `from a import b` giving both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def place_of(name: str) -> str:
    """The folder, or the name, by which a module of stit_core stands in ORDER: "stit_core.media.video" -> "media"."""
    return name.split(".")[1]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def core_imports(path: Path) -> set[str]:
    """Where everything lies that a file imports from stit_core."""
    names = {name for name in imports_of(path) if name.startswith("stit_core.")}
    return {
        place_of(name) for name in names if (CORE / place_of(name)).is_dir() or (CORE / f"{place_of(name)}.py").exists()
    }


MODULES = sorted(CORE.rglob("*.py"))


def test_the_walk_sees_the_package() -> None:
    assert {place_of(module_of(path)) for path in MODULES} - {"__init__"} == set(ROWS)
    assert "stages" in core_imports(CORE / "pipeline.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_the_library_never_imports_the_page(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports_of(path)}
    assert not outside & {"gradio", "app", "page", "recipes", "benchmarks", "deploy", "tests"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_imports_run_one_way(path: Path) -> None:
    here = place_of(module_of(path))
    if here == "__init__":
        return
    beside = {name for name in core_imports(path) - {here} if ROWS[name] >= ROWS[here]}
    # The contracts lie in files of their own, and may know each other.
    assert not beside - ({*CONTRACTS} if here in CONTRACTS else set())


@pytest.mark.parametrize("path", sorted((CORE / "stages").glob("*.py")), ids=lambda path: path.name)
def test_stages_do_not_import_each_other(path: Path) -> None:
    others = {name for name in imports_of(path) if name.startswith("stit_core.stages.")}
    assert not others


@pytest.mark.parametrize("path", sorted((CORE / "models").glob("*.py")), ids=lambda path: path.name)
def test_models_are_networks_only_and_read_no_file(path: Path) -> None:
    assert core_imports(path) <= {"models"}
    tree = ast.parse(path.read_text())
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    }
    assert not called & READERS
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "load" and getattr(node.value, "id", "") in ("torch", "np")
    ]
    assert not loads
    assert not imports_of(path) & {"pathlib", "os", "io", "urllib.request", "importlib.metadata"}


def test_only_runtime_picks_a_device() -> None:
    pickers = [
        path.name
        for path in MODULES
        if any(
            isinstance(node, ast.Attribute) and node.attr == "is_available"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert pickers == ["runtime.py"]


def test_help_loads_nothing_heavy() -> None:
    code = "import sys\nfrom stit_core.__main__ import build_parser\nbuild_parser().format_help()\n"
    code += "print(sorted({'torch', 'numpy', 'dlib', 'scipy', 'cv2'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"


def test_every_module_can_be_imported_alone() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in MODULES
        if path.stem not in ("__init__", "__main__")
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    code += "print('gradio' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "False"


PAGE = ROOT / "page"
GRADIOS = {"gradio", "gradio_client"}


@pytest.mark.parametrize("path", sorted((PAGE / "studio").rglob("*.py")), ids=lambda path: path.name)
def test_the_studio_knows_neither_gradio_nor_what_shows_it(path: Path) -> None:
    names = imports_of(path)
    assert not {name.split(".")[0] for name in names} & GRADIOS
    assert not [name for name in names if name.startswith(("page.ui", "page.server", "app"))]


def test_nothing_else_of_the_page_imports_gradio() -> None:
    importers = {
        path.relative_to(PAGE).parts[0]
        for path in PAGE.rglob("*.py")
        if {name.split(".")[0] for name in imports_of(path)} & GRADIOS
    }
    assert importers == {"ui", "server"}
