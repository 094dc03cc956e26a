"""The page of operators, and a test of each."""

import pytest
from click.testing import CliRunner

from mho.commands.compile.command import compile_command
from mho.compiler.importer.operators import OPERATORS, listed
from tests.compiler.importer.operator_models import NOT_THERE
from tests.compiler.importer.operator_page import PAGE, page
from tests.compiler.importer.operator_table import GROUPS, NAMING_ALL, files_naming


def test_page_is_current() -> None:
    # Where this fails: python -m tests.compiler.importer.operator_page
    assert PAGE.read_text() == page()


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


def test_every_operator_has_a_model_in_verilog() -> None:
    """But those that are nowhere when a network has been read."""
    models = {name for names in GROUPS.values() for name in names}
    assert {o for kind, (_, operators) in OPERATORS.items() for o in operators - models if kind != "constant"} == set()
