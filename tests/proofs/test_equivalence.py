# amaranth: UnusedElaboratable=no
"""What is written as Verilog is what Yosys reads of the same design; faults planted in the writer are found."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from mho.hw.config import load_chip
from mho.rtl_gen.verilog.memories import MemoryShape, write_memory
from mho.rtl_gen.verilog.module import expressions, processes, reader, statements, writer
from mho.rtl_gen.verilog.netlist import netlists
from tests.proofs.equivalence.__main__ import BEGIN, END, main
from tests.proofs.equivalence.blocks import block_pair, pairs_of
from tests.proofs.equivalence.memory import memory_pair
from tests.proofs.equivalence.proof import DEPTH, Pair, Proof, prove
from tests.proofs.solver import Engine, Verdict
from tests.rtl_gen.verilog.gallery import Gallery

pytestmark = [pytest.mark.cosim("yosys"), pytest.mark.slow]


def pairs(component: wiring.Component) -> dict[str, Pair]:
    parts = netlists(component, name="top", prefix="my_")
    texts = {name: written.text for name, (_, written) in parts.blocks.items()}
    texts |= {name: write_memory(shape, "my_") for name, shape in parts.memories.items()}
    return {name: block_pair(name, netlist, written, texts) for name, (netlist, written) in parts.blocks.items()}


def method(proof: Proof) -> tuple[Verdict, Engine, int]:
    return proof.outcome.verdict, proof.engine, proof.depth


def test_every_construct_of_the_writer_is_proven() -> None:
    proofs = [prove(pair) for pair in pairs(Gallery()).values()]
    assert {proof.name for proof in proofs} == {"top", "my_operators", "my_machine", "my_store"}
    assert all(method(proof) == (Verdict.HOLDS, Engine.INDUCTION, 1) for proof in proofs), proofs


Function = Callable[..., object]


def _wrong(change: Callable[..., object]) -> Callable[[Function], Function]:
    return lambda right: lambda *arguments, **options: change(right, *arguments, **options)


def _drop_last(right: Function, body: object) -> object:
    remaining = right(body)
    assert isinstance(remaining, list)
    return remaining[:-1] if len(remaining) > 1 else remaining


FAULTS = {
    "operands are swapped": (
        expressions, "infix",
        _wrong(lambda right, a, symbol, b: right(b, symbol, a) if symbol == "-" else right(a, symbol, b)),
    ),
    "operands are not extended by their sign": (
        expressions, "extend", _wrong(lambda right, sig, size, signed=False: right(sig, size)),
    ),
    "a comparison is not signed": (
        expressions, "_compare",
        _wrong(lambda right, *a: expressions.Expression(right(*a).text.replace("$signed", ""))),
    ),
    "a shift is logical": (
        expressions, "_shift", _wrong(lambda right, *a: replace(right(*a), text=right(*a).text.replace(">>>", ">>"))),
    ),
    "a part begins a bit too low": (
        reader.Reader, "_part", _wrong(lambda right, self, cell: expressions.Expression(
            re.sub(r"\[(.*) \+: 5\]", r"[(\1) - 1 +: 5]", right(self, cell).text))),
    ),
    "a constant has a wrong bit": (
        writer, "constant", _wrong(lambda right, bits: right(bits[:-1] + "01"[bits[-1] == "0"])),
    ),
    "the last statement is lost": (processes, "_without_overwritten", _wrong(_drop_last)),
    "an inversion is lost": (expressions, "invert", _wrong(lambda right, a: a)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_in_the_writer_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, wrong = FAULTS[fault]
    right = {pair.name: pair.files["written.v"] for pair in pairs(Gallery()).values()}
    function = getattr(where, name)
    for module in {where, expressions, reader, statements, processes, writer}:
        if getattr(module, name, None) is function:
            monkeypatch.setattr(module, name, wrong(function))
    changed = [pair for pair in pairs(Gallery()).values() if pair.files["written.v"] != right[pair.name]]
    assert changed
    proofs = [prove(pair) for pair in changed]
    assert any(proof.outcome.verdict is Verdict.FAILS for proof in proofs), proofs


class Counter(wiring.Component):
    """Counts to 4 and begins again."""

    count: Signal
    last: Signal

    def __init__(self) -> None:
        super().__init__({"count": Out(3), "last": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        number = Signal(3)
        m.d.sync += number.eq(number + 1)
        with m.If(number == 4):
            m.d.sync += number.eq(0)
        m.d.comb += [self.count.eq(number), self.last.eq(number == 4)]
        return m


def changed(pattern: str, instead: str) -> Proof:
    (pair,) = pairs(Counter()).values()
    text, count = re.subn(pattern, instead, pair.files["written.v"])
    assert count
    return prove(replace(pair, files={**pair.files, "written.v": text}))


def test_a_block_that_differs_in_states_that_never_occur_is_bounded() -> None:
    proof = changed("== 3'd4", ">= 3'd4")
    assert method(proof) == (Verdict.HOLDS, Engine.BOUNDED, DEPTH)
    assert proof.method == f"bounded, {DEPTH} cycles"
    assert "last" in proof.outcome.claim
    proof = changed("== 3'd4", ">= 3'd3")
    assert method(proof) == (Verdict.FAILS, Engine.BOUNDED, DEPTH)


@pytest.mark.parametrize(("pattern", "instead"), [
    ("posedge clk", "negedge clk"), ("posedge clk", "posedge last"), (r"\[2:0\] count", "[3:0] count"),
    (r"\breg\b", "register"), (r"(?s)always @.*end\n", ""), ("<= 3'd0", "<= 3'd1"),
])
def test_difference_that_is_no_value_is_found(pattern: str, instead: str) -> None:
    proof = changed(pattern, instead)
    assert proof.outcome.verdict is Verdict.FAILS
    assert proof.outcome.claim


@pytest.mark.parametrize("shape", [
    MemoryShape(16, 8, 8, True, False), MemoryShape(18, 8, 4, True, True), MemoryShape(5, 12, 12, False, False),
], ids=lambda shape: shape.suffix)
@pytest.mark.parametrize("fault", [
    None, ("words[write_address]", "words[write_address + 1]"), ("words[read_address]", "words[write_address]"),
    ("[0:", "[1:"), ("posedge", "negedge"),
], ids=["right", "write address", "read address", "depth", "clock"])
def test_memory_is_that_of_amaranth(shape: MemoryShape, fault: tuple[str, str] | None) -> None:
    text = write_memory(shape, "my_")
    wrong = text.replace(*fault) if fault else text
    assert (wrong == text) == (fault is None)
    proof = prove(memory_pair(f"my_{shape.suffix}", shape, wrong))
    assert (proof.outcome.verdict is Verdict.HOLDS) == (fault is None), proof


def test_all_blocks_of_a_core_are_proven(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pwm16-core"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("20 of 20 blocks are equal")
    assert all("induction, 1 cycle" in line and line.endswith("holds") for line in lines[:-2])


VARIANTS = [
    ({"verilog.reset": "async_low"}, "mho_sequencer", ("plan <= 40'd0", "plan <= 40'd1")),
    ({"verilog.reset": "async_low"}, "mho_line_registers", ("(~rst_n)", "(rst_n)")),
    ({"verilog.reset": "async_low"}, "mho_core", (".rst_n(rst_n)", ".rst_n(~rst_n)")),
    ({"verilog.clock_gate": "module"}, "mho_line_registers", ("if (drive | ", "if (")),
]


@pytest.mark.parametrize(("keys", "name", "fault"), VARIANTS, ids=[name for _, name, _ in VARIANTS])
def test_asynchronous_resets_and_gates_of_clocks_change_no_register(
    keys: dict[str, str], name: str, fault: tuple[str, str]
) -> None:
    pair = next(pair for pair in pairs_of(load_chip("tnsa16-core", keys)) if pair.name == name)
    assert prove(pair).outcome.verdict is Verdict.HOLDS
    text = pair.files["written.v"].replace(*fault, 1)
    assert text != pair.files["written.v"]
    assert prove(replace(pair, files={**pair.files, "written.v": text})).outcome.verdict is Verdict.FAILS


TESTED = {"verilog.test": True, "verilog.clock_gate": "module"}


@pytest.mark.parametrize(("chip", "keys", "faults"), [
    ("tnsa16-core", {}, {
        "mho_programming_permission": [("held[0] | ~busy", "held[0] | busy")],
        "mho_macro_adapter": [(".bl_pos(bl_pos)", ".bl_pos(bl_neg)")],
    }),
    # The gate of a whole tile.
    pytest.param("tnsa16-2x2", TESTED, {
        "mho_core_tile": [
            (".clk(tile_runs_gate_gated)", ".clk(clk)"), (".enable(tile_runs)", ".enable(~tile_runs)"),
            (".test_mode(test_mode)", ".test_mode(1'b0)"),
        ],
    }, marks=pytest.mark.long),
    # All that the pin of tests reaches.
    ("tnsa16-core", TESTED, {
        "mho_core": [(".test_mode(test_mode)", ".test_mode(1'b0)")],
        "mho_clock_gate": [("enable | test_mode", "enable"), ("if (~clk)", "if (clk)"), ("clk & open", "clk")],
        "mho_macro_bypass": [
            ("test_mode ? cmp_ring : macro_cmp", "macro_cmp"), ("sample & ~test_mode", "sample"),
            ("test_mode ? hold_ring : macro_hold", "test_mode ? macro_hold : hold_ring"),
        ],
        "mho_programming_permission": [("held[0] | ~busy", "held[0] | busy")],
        "mho_mem_8x32": [
            ("bist_enable ? bist_address : read_address", "read_address"), ("? ~bist_write", "? bist_write"),
        ],
    }),
])
def test_what_no_netlist_writes_is_compared_too(
    chip: str, keys: dict[str, object], faults: dict[str, list[tuple[str, str]]]
) -> None:
    parts = {pair.name: pair for pair in pairs_of(load_chip(chip, keys))}
    for name in faults:
        pair = parts[name]
        assert prove(pair).outcome.verdict is Verdict.HOLDS
        for right, wrong in faults[name]:
            text = pair.files["written.v"]
            assert right in text
            proof = prove(replace(pair, files={**pair.files, "written.v": text.replace(right, wrong, 1)}))
            assert proof.outcome.verdict is not Verdict.HOLDS, (name, wrong)


def test_table_of_a_page(tmp_path, capsys) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks")
    assert main(["pwm16-core", "--table", str(page)]) == 2
    assert f"must have a line {BEGIN}" in capsys.readouterr().err
    assert END
