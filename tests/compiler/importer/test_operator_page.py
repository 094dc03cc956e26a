"""The page of operators, and a test of each."""

import ast
from pathlib import Path

import pytest
from click.testing import CliRunner

from compiler.importer.operators import OPERATORS, listed, page
from mho.commands.compile import compile_command

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests" / "compiler" / "importer"


def test_page_is_current() -> None:
    # Where this fails: python -m compiler.importer.operators
    assert (ROOT / "docs" / "reference" / "operators.md").read_text() == page()


def test_the_command_prints_them() -> None:
    result = CliRunner().invoke(compile_command, ["--operators"])
    assert result.exit_code == 0
    assert result.output.strip() == listed()


def _tested() -> dict[str, str]:
    """Operators by a test that names them as text."""
    found: dict[str, str] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        for one in ast.walk(ast.parse(path.read_text())):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                found.setdefault(one.value, path.name)
    return found


@pytest.mark.parametrize("kind", ["array", "recurrent", "digital", "moves", "table", "abbreviations"])
def test_every_operator_has_a_test(kind: str) -> None:
    by_name = _tested()
    missing = {o for o in OPERATORS[kind][1] if o not in by_name}
    assert not missing
