"""The page of operators, and a test of each."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from mho.commands.compile.command import compile_command
from mho.compiler.importer.operators import OPERATORS, listed, page
from tests.compiler.importer.operator_models import NOT_THERE
from tests.compiler.importer.operator_table import GROUPS, NAMING_ALL, TABLE, files_naming, table

ROOT = Path(__file__).parents[3]


def test_page_is_current() -> None:
    # Where this fails: python -m mho.compiler.importer.operators
    assert (ROOT / "docs" / "reference" / "operators.md").read_text() == page()


def test_the_table_of_tests_is_current() -> None:
    # Where this fails: python -m tests.compiler.importer.operator_table
    assert TABLE.read_text() == table()


def test_the_command_prints_them() -> None:
    result = CliRunner().invoke(compile_command, ["--operators"])
    assert result.exit_code == 0
    assert result.output.strip() == listed()


@pytest.mark.parametrize("kind", OPERATORS)
def test_every_operator_has_a_test(kind: str) -> None:
    """In floating point: named by one, or among those that are compared with onnxruntime."""
    named = {name for name, files in files_naming().items() if set(files) - NAMING_ALL}
    missing = {o for o in OPERATORS[kind][1] if o not in named}
    missing -= {o for kinds in GROUPS.values() for o in kinds if o not in NOT_THERE}
    assert not missing


def test_the_table_has_every_operator() -> None:
    rows = [line.split("|") for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    assert {row[1].strip(" `") for row in rows} == {o for _, operators in OPERATORS.values() for o in operators}
    assert all(row[3].strip() and (row[4].strip() or row[2].strip() == "constant") for row in rows)
