"""Text of expressions."""

import pytest

from mho.rtl_gen.verilog.module.expressions import Expression, conditional, invert


@pytest.mark.parametrize(("text", "inverted"), [
    ("x[3]", "~x[3]"), ("~x[3]", "x[3]"), ("~(|x[3:0])", "~(~(|x[3:0]))"), ("x[1:0] != 2'd0", "x[1:0] == 2'd0"),
])
def test_never_two_operators_in_a_row(text: str, inverted: str) -> None:
    assert invert(Expression(text)).text == inverted


@pytest.mark.parametrize(("yes", "no", "text"), [
    ("a", "1'b0", "c & a"), ("1'b0", "a", "~c & a"), ("1'b1", "a", "c | a"), ("a", "1'b1", "~c | a"),
    ("a", "b", "c ? a : b"),
])
def test_no_choice_between_a_bit_and_a_constant(yes: str, no: str, text: str) -> None:
    assert conditional(Expression("c"), Expression(yes), Expression(no)).text == text
