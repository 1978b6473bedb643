"""The shape of the project, checked by reading its source: imports, budgets, seams and the README's map."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "ui": {"bot"},
    "bot": {"knowledge", "tone_tuning"},
    "knowledge": set(),
    "tone_tuning": set(),
}
# The tabs of the page: only the page and they may import them, so that no command waits for gradio.
PAGE = {"bot/documents_tab.py", "bot/document_details.py", "bot/sources_tab.py", "bot/page_parts.py"}
# A costly or risky dependency is known to as few files as can be.
ONLY_IN = {
    "chromadb": {"knowledge/store.py"},
    "sentence_transformers": {"knowledge/embedder.py"},
    "gradio": {"ui.py", *PAGE},
    "peft": {
        "knowledge/reader.py",
        "tone_tuning/base_model.py",
        "tone_tuning/language_model.py",
        "tone_tuning/train.py",
    },
    "markitdown": {"knowledge/markup.py"},
    "pypdfium2": {"knowledge/pdf.py"},
    "pptx": {"knowledge/slides.py"},
    "openpyxl": {"knowledge/sheets.py"},
    "sqlalchemy": {"knowledge/rows.py"},
    "httpcore": {"knowledge/addresses.py", "knowledge/web.py"},
}
LINES_OF_FUNCTION, LINES_OF_FILE = 45, 400


def sources(package: str) -> list[Path]:
    return [ROOT / "ui.py"] if package == "ui" else sorted((ROOT / package).rglob("*.py"))


ALL_SOURCES = [path for package in MAY_IMPORT for path in sources(package)]


def imported_modules(path: Path) -> set[str]:
    """First names of everything that `path` imports anywhere, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_point_one_way():
    """Ui -> bot -> {knowledge, tone_tuning}; the two lowest packages never meet."""
    wrong = [
        f"{name_of(path)} imports {other}"
        for package, allowed in MAY_IMPORT.items()
        for path in sources(package)
        for other in (imported_modules(path) & MAY_IMPORT.keys()) - allowed - {package}
    ]

    assert not wrong


def test_each_costly_dependency_has_its_own_room():
    """Only the named files import chromadb, gradio and the like, so each can be replaced in one place."""
    wrong = [
        f"{name_of(path)} imports {module}"
        for path in ALL_SOURCES
        for module in imported_modules(path) & ONLY_IN.keys()
        if name_of(path) not in ONLY_IN[module]
    ]

    assert not wrong


def test_only_the_page_imports_its_tabs():
    """The command line and the loopback endpoint start without gradio."""
    tabs = {name.removesuffix(".py").replace("/", ".") for name in PAGE}
    wrong = [
        f"{name_of(path)} imports {node.module}"
        for path in ALL_SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module in tabs and name_of(path) not in {"ui.py", *PAGE}
    ]

    assert not wrong


def test_only_entry_points_read_the_environment():
    """Settings come in through bot/settings.py and the training command; the page sets gradio's own variables."""
    allowed = {"bot/settings.py", "tone_tuning/train_command.py", "ui.py"}
    readers = {name_of(p) for p in ALL_SOURCES if re.search(r"os\.(environ|getenv)", p.read_text(encoding="utf-8"))}
    setters = {name for name in readers if "os.environ.setdefault" in (ROOT / name).read_text(encoding="utf-8")}

    assert readers - setters <= allowed


@pytest.mark.parametrize("path", ALL_SOURCES, ids=name_of)
def test_a_file_is_short_and_says_what_it_is(path):
    """At most 400 lines a file and 45 a function, a docstring that opens with one line, and __all__."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = [f.name for f in functions if f.end_lineno - f.lineno + 1 > LINES_OF_FUNCTION]

    assert text.count("\n") <= LINES_OF_FILE
    assert not too_long
    assert ast.get_docstring(tree)
    assert "__all__" in text


def test_the_readme_map_is_the_truth():
    """Every file of the packages stands in the README's tree with the first line of its docstring."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    mapped = dict(re.findall(r"^ *(\S+\.py) {2,}(.+)$", readme, re.MULTILINE))
    truth = {
        name_of(path): ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]
        for path in ALL_SOURCES
        if path.name != "__init__.py"
    }

    assert mapped == truth


def test_every_test_carries_a_sentence():
    """A reader of the tests learns what the project promises."""
    silent = [
        f"{path.name}:{node.name}"
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert not silent


def test_constraints_pin_what_pyproject_asks_for():
    """A fresh install next year gives the versions that were tried."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[^A-Za-z0-9-]", line)[0].lower() for line in wanted}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}

    assert names - pinned == set()
