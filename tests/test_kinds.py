"""Kinds are asked for by their registries: no name of one is outside its rooms."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mho.hw.config import kind_names

ROOT = Path(__file__).parent.parent
FOLDERS = ("compiler", "fpga", "hw", "macro_models", "mho", "rtl_gen", "sim")

KNOWN = {
    "hw/config/chip.py": "the kind of a description that says none, which all older ones are",
    "mho/demo/trace.py": "shows one product of the transposable core",
    "rtl_gen/registers.py": "the reference page of registers",
    "sim/core": "what was written when there was one kind",
}
"""Files and folders that know a kind, and why."""


def sources() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split() or [str(p.relative_to(ROOT)) for f in FOLDERS for p in (ROOT / f).rglob("*.py")]
    return [Path(name) for name in names if name.split("/")[0] in FOLDERS and (ROOT / name).is_file()]


def room(path: Path) -> str:
    """The kind whose room a file is in; none if it is common."""
    return next((part for part in path.with_suffix("").parts if part in kind_names()), "")


WORDS = {"array"}
"""Kinds whose name is a word of other things: imports from rooms of kinds count, and comparisons with a kind."""


def imported(path: str) -> set[str]:
    """Names in the path of an import that kinds may have."""
    parts = path.split(".")
    ambiguous = WORDS if not {"kinds", "integer"} & set(parts) else set()
    return set(parts) - ambiguous


def named(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Kinds that a module imports from, or has the names of as strings: line and kind."""
    kinds = set(kind_names())
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and "kind" in ast.unparse(node.left)]
    compared_nodes = {id(side) for node in compared for side in node.comparators}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {part for alias in node.names for part in imported(f"{node.module}.{alias.name}")}
        elif isinstance(node, ast.Import):
            names = {part for alias in node.names for part in imported(alias.name)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = {node.value} - (WORDS if id(node) not in compared_nodes else set())
        else:
            continue
        yield from ((node.lineno, kind) for kind in kinds & names)  # pyright: ignore[reportAttributeAccessIssue]


def known(path: Path) -> bool:
    return any(f"{path.as_posix()}/".startswith(f"{entry}/") for entry in KNOWN)


@pytest.mark.slow
def test_no_common_file_asks_for_a_kind() -> None:
    wrong = []
    for path in sources():
        for line, kind in named(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if room(path) != kind and (room(path) or not known(path)):
                wrong.append(f"{path}:{line} knows {kind}")
    assert wrong == []


@pytest.mark.parametrize("text", [
    'if chip.core.kind == "{}":\n    pass', "from mho.hw.kinds.{}.config import x", "from mho.hw.kinds import {}",
    "import mho.hw.kinds.{}",
])
def test_each_way_of_asking_is_seen(text: str) -> None:
    for kind in kind_names():
        assert [kind_name for _, kind_name in named(ast.parse(text.format(kind)))] == [kind]


def test_no_kind_is_named_in_the_contracts_of_imports() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [kind for kind in kind_names() if f'"{kind}"' in text or f".{kind}" in text] == []
