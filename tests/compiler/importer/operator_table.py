"""All operators by the models that have them, and the tests that name them."""

import ast
from functools import cache
from pathlib import Path

from mho.compiler.importer.operators import OPERATORS
from tests.compiler.importer.operator_models import OLD

__all__ = ["GROUPS", "NAMING_ALL", "files_naming"]

GROUPS = {"old": sorted(OLD)} | {
    kind: sorted(operators - OLD.keys())
    for kind, (_, operators) in OPERATORS.items() if kind != "constant"
}
"""Operators by the model that has them: those of old opsets apart."""

NAMING_ALL = {"test_operator_models.py", "test_operator_page.py"}
"""Files that name operators without being a test of each."""

@cache
def files_naming() -> dict[str, list[str]]:
    """Operators by the files of tests that name them as text."""
    files: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        names = {
            node.value for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for name in names:
            files.setdefault(name, []).append(path.name)
    return files
