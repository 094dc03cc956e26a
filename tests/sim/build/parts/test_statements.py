"""What statements of Verilator's C++ read and write, and what is not known of them."""

import pytest

from mho.sim.build.parts.nodes import copies_of, exposed, nodes_of, units_of
from mho.sim.build.parts.statements import Branch, Function, Leaf, UnknownFormError, leaves, parse_function, signatures

OUTSIDE = signatures("VL_INLINE_OPT void V__Vdpiimwrap_call(IData/*31:0*/ a, VlWide<2>/*63:0*/ &b) {\n}\n")


def parsed(body: str, head: str = "") -> Function:
    init = f"    // Init\n{head}" if head else ""
    return parse_function("f", f"    (void)vlSelf;\n{init}    // Body\n{body}", OUTSIDE)


def test_assignments_and_branches() -> None:
    statements = parsed("""
        if ((1U & (IData)(vlSelfRef.a))) {
            vlSelfRef.m[(3U & vlSelfRef.b)]
                = (vlSelfRef.c + 1U);
        } else if (vlSelfRef.d) { vlSelfRef.e = 0U; }
    """).statements
    (branch,) = statements
    assert isinstance(branch, Branch)
    assert branch.reads == {"a"}
    first, second = leaves(branch)
    assert (first.reads, first.writes, first.whole) == ({"b", "c"}, {"m"}, False)
    assert (second.reads, second.writes, second.whole) == (frozenset(), {"e"}, True)


def test_calls_and_locals() -> None:
    code = parsed("V__Vdpiimwrap_call(vlSelfRef.a, t); vlSelfRef.x[1U] = t[0U]; VL_ASSIGN_W(64,vlSelfRef.w, t);",
                  "    VlWide<2>/*63:0*/ t;\n    VL_ZERO_W(64, t);\n")
    assert code.locals == {"f:t": "VlWide<2> t; VL_ZERO_W(64, t);"}
    call, word, copy = code.statements
    assert isinstance(call, Leaf)
    assert (call.reads, call.writes, call.effect) == ({"a"}, {"f:t"}, True)
    assert isinstance(word, Leaf)
    assert (word.reads, word.writes, word.word, word.whole) == ({"f:t"}, {"x"}, 1, False)
    assert isinstance(copy, Leaf)
    assert (copy.reads, copy.writes, copy.whole) == ({"f:t"}, {"w"}, True)


@pytest.mark.parametrize("body", [
    "while (vlSelfRef.a) { vlSelfRef.b = 1U; }", "vlSelfRef.a = other(vlSelfRef.b);", "vlSelfRef.a += 1U;",
    "vlSelfRef.a = ([&]() { vlSelfRef.c = 1U; }(), 1U);", "vlSelfRef.a = (vlSelfRef.b = 1U);", "call(vlSelfRef.a);",
    "vlSymsp->b = 1U;", "if (vlSelfRef.a) vlSelfRef.b = 1U;", "if (vlSelfRef.a) { vlSelfRef.b = 1U;",
    "vlSelfRef.a.b = 1U;", "vlSelfRef.a = VL_RANDOM_I();", "IData c = 1U;", 'VL_WRITEF_NX("a");',
])
def test_unknown_forms(body: str) -> None:
    with pytest.raises(UnknownFormError):
        parsed(body)


def test_what_is_not_read_where_it_is_written_is_a_node_of_its_own() -> None:
    branch = parsed("if (vlSelfRef.r) { vlSelfRef.a = 0U; vlSelfRef.b = 0U; } else { vlSelfRef.a = vlSelfRef.c; }")
    assert [sorted(node.writes) for node in nodes_of(units_of([branch]))] == [["a"], ["b"]]
    tied = parsed("if (vlSelfRef.r) { vlSelfRef.a = 0U; vlSelfRef.b = vlSelfRef.a; }")
    assert [sorted(node.writes) for node in nodes_of(units_of([tied]))] == [["a", "b"]]
    gated = parsed("if (vlSelfRef.r) { vlSelfRef.r = 0U; vlSelfRef.b = 1U; }")
    assert [sorted(node.writes) for node in nodes_of(units_of([gated]))] == [["b", "r"]]


def test_what_is_read_before_it_is_written() -> None:
    body = "if (vlSelfRef.c) { vlSelfRef.a = 1U; } else { vlSelfRef.a = 2U; } vlSelfRef.b = vlSelfRef.a;"
    reads, defined = exposed(parsed(body).statements, frozenset())
    assert (reads, defined) == ({"c"}, {"a", "b"})
    body = "if (vlSelfRef.c) { vlSelfRef.a = 1U; } vlSelfRef.b = vlSelfRef.a;"
    reads, _ = exposed(parsed(body).statements, frozenset())
    assert reads == {"a", "c"}
    wide = parsed("vlSelfRef.w[0U] = 1U; vlSelfRef.w[1U] = 2U; vlSelfRef.b = vlSelfRef.w[0U];").statements
    assert exposed(wide, frozenset(), {"w": 2})[0] == set()
    assert exposed(wide, frozenset(), {"w": 3})[0] == {"w"}


def test_copies_that_do_nothing() -> None:
    body = "vlSelfRef.__Vdly__a = vlSelfRef.a; if (vlSelfRef.c) {{ vlSelfRef.__Vdly__a = 1U; }} vlSelfRef.a = {};"
    units = units_of([parsed(body.format("vlSelfRef.__Vdly__a"))])
    nodes = nodes_of(units)
    assert [nodes[k].writes for k in copies_of(units, nodes)] == [{"__Vdly__a"}]
    masked_units = units_of([parsed(body.format("(3U & vlSelfRef.__Vdly__a)"))])
    assert copies_of(masked_units, nodes_of(masked_units)) == []
