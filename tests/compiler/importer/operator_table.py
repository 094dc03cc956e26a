"""A table of all operators and their tests: ``python -m tests.compiler.importer.operator_table`` writes the page."""

import ast
from functools import cache
from pathlib import Path

from mho.compiler.importer.operators import OPERATORS
from tests.compiler.importer.operator_models import NOT_THERE, OLD, REPLACING

__all__ = ["GROUPS", "NAMING_ALL", "TABLE", "files_naming", "table"]

TABLE = Path(__file__).parents[3] / "docs" / "reference" / "operator-tests.md"

GROUPS = {"old": sorted(OLD), "new": sorted(REPLACING)} | {
    kind: sorted(operators - OLD.keys() - REPLACING)
    for kind, (_, operators) in OPERATORS.items() if kind != "constant"
}
"""Operators by the model that has them: those of old opsets, and those that replace others, apart."""

NAMING_ALL = {"test_operator_models.py", "test_operator_page.py"}
"""Files that name operators without being a test of each."""

_HEAD = """\
# Tests of the operators

<!-- Written by `python -m tests.compiler.importer.operator_table`; a test compares it with the importer. -->

For every operator of [the list](operators.md): the tests in `tests/compiler/importer` that name it, in floating point
against onnxruntime (`test_operator_models.py` has all that onnxruntime has), and the model of
`tests/compiler/test_operators_in_verilog.py` in which it stands between two layers of a compiled network, whose bits in
Verilog are those of the model. Constants and shapes are nowhere when a network has been read.

| operator | where it runs | floating point | Verilog |
|---|---|---|---|
"""


@cache
def files_naming() -> dict[str, list[str]]:
    """Operators by the files of tests that name them as text."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        names = {
            one.value for one in ast.walk(ast.parse(path.read_text()))
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        }
        for name in names:
            found.setdefault(name, []).append(path.name)
    return found


def table() -> str:
    """The page as Markdown."""
    rows, place = [], {name: group for group, names in GROUPS.items() for name in names}
    for kind, (_, operators) in OPERATORS.items():
        for name in sorted(operators):
            files = [f for f in files_naming().get(name, []) if f not in NAMING_ALL]
            files += ["test_operator_models.py"] if name in place and name not in NOT_THERE else []
            told = ", ".join(f"`{one}`" for one in sorted(files))
            verilog = f"`[{place[name]}]`" if name in place else ""
            rows.append(f"| `{name}` | {kind} | {told} | {verilog} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    TABLE.write_text(table())
