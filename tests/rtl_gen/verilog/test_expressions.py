"""Text of expressions."""

import pytest

from rtl_gen.verilog.expressions import Expression, invert


@pytest.mark.parametrize(("text", "inverted"), [("x[3]", "~x[3]"), ("~x[3]", "x[3]"), ("~(|x[3:0])", "~(~(|x[3:0]))")])
def test_never_two_operators_in_a_row(text: str, inverted: str) -> None:
    assert invert(Expression(text)).text == inverted
