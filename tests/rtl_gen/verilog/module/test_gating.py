import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.hw.config import load_chip
from mho.rtl_gen import generate
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.generate import count
from mho.rtl_gen.verilog.module.gating import enable_of, pieces
from mho.rtl_gen.verilog.rtlil import Assign, Case, Const, Slice, Statement, Switch, Wire
from mho.sim.core.bench.verify import verify_core

WIDTH = 4
TESTS = {"a": 1, "b": 2}
GATED = {"verilog.clock_gate": "module"}


def matches(pattern: str, value: str) -> bool:
    return all(want in ("-", have) for want, have in zip(pattern, value, strict=True))


def run(body: list[Statement], values: dict[str, str], old: str) -> str:
    """The target after a body, most significant bit first."""
    for statement in body:
        if isinstance(statement, Assign):
            (value,) = statement.value
            assert isinstance(value, Const)
            high, low = WIDTH - 1 - statement.target.high, WIDTH - statement.target.low
            old = old[:high] + value.bits + old[low:]
            continue
        (test,) = statement.test
        assert isinstance(test, Slice)
        cases = (c for c in statement.cases if not c.patterns or any(matches(p, values[test.wire]) for p in c.patterns))
        old = run(next((case.body for case in cases), []), values, old)
    return old


@st.composite
def assigns(draw: st.DrawFn) -> Assign:
    low, high = sorted(draw(st.sampled_from([(0, 3), (0, 1), (2, 3)])))
    bits = draw(st.text("01", min_size=high - low + 1, max_size=high - low + 1))
    return Assign(Slice("q", high, low), (Const(bits),))


@st.composite
def bodies(draw: st.DrawFn, depth: int = 3) -> list[Statement]:
    body: list[Statement] = []
    for _ in range(draw(st.integers(0, 2))):
        if depth and draw(st.booleans()):
            wire = draw(st.sampled_from(sorted(TESTS)))
            pattern = st.text("01-", min_size=TESTS[wire], max_size=TESTS[wire])
            patterns = draw(st.lists(st.lists(pattern, min_size=1, max_size=2), min_size=1, max_size=3))
            cases = [Case(tuple(p), draw(bodies(depth - 1))) for p in patterns]
            if draw(st.booleans()):
                cases.append(Case((), draw(bodies(depth - 1))))
            body.append(Switch((Slice(wire, TESTS[wire] - 1, 0),), cases))
        else:
            body.append(draw(assigns()))
    return body


@pytest.mark.slow
@given(bodies(), st.text("01", min_size=WIDTH, max_size=WIDTH))
def test_a_part_changes_only_where_its_gate_is_open_and_then_as_before(body: list[Statement], old: str) -> None:
    for a in "01":
        for b in ("00", "01", "10", "11"):
            values = {"a": a, "b": b}
            new = list(run(body, values, old))
            for part, whole in pieces(body, Wire("q", WIDTH)):
                bits = slice(WIDTH - 1 - part.high, WIDTH - part.low)
                enable, inner = enable_of(whole)
                tests = [(c.test[0], c.patterns) for c in enable]
                opened = all(any(matches(p, values[t.wire]) for p in ps) for t, ps in tests if isinstance(t, Slice))
                assert list((run(inner, values, old) if opened else old)[bits]) == new[bits]


@pytest.mark.slow
def test_a_gate_has_at_least_eight_flip_flops_and_none_is_lost() -> None:
    chip = load_chip("tnsa16-core", GATED)
    gated, plain = (module_texts(c, "wishbone") for c in (chip, load_chip("tnsa16-core")))
    top = next(iter(plain))
    assert count(gated, top).flip_flops == count(plain, top).flip_flops
    assert set(gated) - set(plain) == {"mho_clock_gate"}
    loader = gated["mho_operation_loader"]
    # Eight planes of four lines for each half of each group of eight lines.
    assert len(re.findall(r"mho_clock_gate clock_gate_\d+ \(\n    \.clk\(clk\),\n    \.enable\(.*group", loader)) == 4
    assert "gated_clk" not in "".join(plain.values())


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog")
@pytest.mark.parametrize(("sim", "reset"), [("verilator", "sync"), ("icarus", "async_low")])
def test_the_core_with_gated_clocks_equals_the_model(sim: str, reset: str) -> None:
    verify_core(load_chip("tnsa16-core", {**GATED, "verilog.reset": reset}), simulator=sim, operations=20)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog")
def test_tools_accept_gated_clocks(tmp_path) -> None:
    top = generate(load_chip("tnsa16-core", GATED), tmp_path, wrap="wishbone").top
    stub, rtl = "stubs/tnsa_macro.v", (tmp_path / f"{top}.f").read_text().split()
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", stub, "--top-module", top]
    for command in (lint, ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl, stub]):
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), command[0]


@pytest.mark.slow
def test_a_tile_has_one_gate_for_its_clock() -> None:
    """All but the node has it; without gates of clocks there is none."""
    for settings, clock in (({}, "clk"), (GATED, "tile_runs_gate_gated")):
        chip = load_chip("tnsa16-2x2", settings)
        text = module_texts(chip, "none", part="tile", top="mho_core_tile")["mho_core_tile"]
        clocks = dict(re.findall(r"^  \w+ (\w+) \([^;]*?\n    \.clk\((\w+)\),", text, re.MULTILINE))
        assert {clocks[part] for part in ("tile", "core", "core_access", "split")} == {clock}
        assert clocks["node"] == "clk"
        assert ("mho_clock_gate tile_runs_gate" in text) == (clock != "clk")
