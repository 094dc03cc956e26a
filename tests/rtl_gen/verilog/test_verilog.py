# amaranth: UnusedElaboratable=no
"""The Verilog writer: what it writes behaves as the design does in Amaranth's own simulator, from unknown on."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.netlist import emit
from tests.rtl_gen.verilog.gallery import Gallery

CYCLES = 400


def _ports(component: wiring.Component) -> dict[str, tuple[Value, bool]]:
    """Value and whether it is an input, by the name of the port in Verilog."""
    return {
        "_".join(map(str, path)): (Value.cast(value), member.flow is wiring.In)
        for path, member, value in component.signature.flatten(component)
    }


def _stimuli(component: wiring.Component) -> list[dict[str, int]]:
    rng = random.Random(3)
    inputs = {name: len(value) for name, (value, is_input) in _ports(component).items() if is_input}
    return [{name: rng.getrandbits(size) for name, size in inputs.items()} for _ in range(CYCLES)]


def _simulate(component: wiring.Component) -> list[dict[str, str]]:
    """Outputs of Amaranth's simulator before each clock edge."""
    ports, stimuli, samples = _ports(component), _stimuli(component), []

    async def bench(ctx) -> None:
        for stimulus in stimuli:
            for name, value in stimulus.items():
                ctx.set(ports[name][0].as_unsigned(), value)
            await ctx.delay(1e-7)
            outputs = {name: value for name, (value, is_input) in ports.items() if not is_input}
            samples.append({name: f"{ctx.get(v.as_unsigned()):0{len(v)}b}" for name, v in outputs.items()})
            await ctx.tick()

    simulator = Simulator(component)
    simulator.add_clock(1e-6, phase=5e-7)
    simulator.add_testbench(bench)
    simulator.run()
    return samples


def _run_icarus(
    component: wiring.Component, folder: Path, texts: dict[str, str], *, reset_low: bool
) -> list[dict[str, str]]:
    """Outputs of Icarus before each clock edge, after a reset out of unknown registers."""
    ports, reset = _ports(component), "rst_n" if reset_low else "rst"
    outputs = [name for name, (_, is_input) in ports.items() if not is_input]
    lines = ["module bench;", "reg clk;", f"reg {reset};"]
    lines += [f"{'reg' if i else 'wire'} [{len(v) - 1}:0] {name};" for name, (v, i) in ports.items()]
    listed = ", ".join(f".{name}({name})" for name in ["clk", reset, *ports])
    lines += [f"gallery dut ({listed});", "initial begin"]
    active, idle = (0, 1) if reset_low else (1, 0)
    lines += [f"{name} = 0;" for name, (_, is_input) in ports.items() if is_input]
    lines += [f"clk = 0; {reset} = {active}; #1 clk = 1; #1 clk = 0; {reset} = {idle};"]
    for stimulus in _stimuli(component):
        lines += [f"{name} = {len(ports[name][0])}'d{value};" for name, value in stimulus.items()]
        shown = ", ".join(outputs)
        lines += [f'#1 $display("{" ".join(["%b"] * len(outputs))}", {shown}); clk = 1; #1 clk = 0;']
    lines += ["end", "endmodule"]
    (folder / "bench.v").write_text("\n".join(lines))
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    files = [str(path) for path in sorted(folder.glob("*.v"))]
    subprocess.run(["iverilog", "-g2005", "-o", str(folder / "sim"), *files], check=True)
    run = subprocess.run(["vvp", "-n", str(folder / "sim")], check=True, capture_output=True, text=True)
    return [dict(zip(outputs, line.split(), strict=True)) for line in run.stdout.splitlines()]


def _emit(*, reset_low: bool = False) -> dict[str, str]:
    return emit(Gallery(), name="gallery", prefix="my_", reset_low=reset_low)


@pytest.mark.slow
@pytest.mark.cosim("iverilog")
@pytest.mark.parametrize("reset_low", [False, True])
def test_behaves_as_in_amaranth_from_unknown_registers(tmp_path: Path, reset_low: bool) -> None:
    component = Gallery()
    expected = _simulate(component)
    simulated = _run_icarus(component, tmp_path, _emit(reset_low=reset_low), reset_low=reset_low)
    assert len(simulated) == CYCLES
    # What has no reset is unknown until it is written: there, a known bit must be right.
    known_bits = 0
    for cycle, (want, have) in enumerate(zip(expected, simulated, strict=True)):
        for name, bits in have.items():
            free = name in ("y_plain", "z_q", "z_t")
            pattern = bits.replace("x", ".") if free else bits
            assert re.fullmatch(pattern, want[name]), f"cycle {cycle}: {name} is {bits}, expected {want[name]}"
            known_bits += free and "x" not in bits
    assert known_bits > CYCLES


def test_equal_blocks_are_one_module() -> None:
    texts = _emit()
    assert {name for name in texts if "mem" not in name} == {"gallery", "my_operators", "my_machine", "my_store"}
    assert re.findall(r"^  my_machine (\w+)", texts["gallery"], re.MULTILINE) == ["machine", "first_2", "second_2"]


def test_prefix_is_on_every_module_but_the_top() -> None:
    assert all(name.startswith("my_") or name == "gallery" for name in _emit())


def test_text_is_plain() -> None:
    text = "\n".join(_emit().values())
    assert not re.search(r"\\|\$(?!signed|unsigned)|\binitial\b|\(\*(?! no_rw_check \*\))|[Yy]osys|[Aa]maranth", text)
    assert not re.search(r"^\s*reg[^;]*=", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 120


def test_states_and_fields_have_names() -> None:
    text = _emit()["my_machine"]
    assert "FSM_STATE_SHOW" in text
    assert "MODE_CLEAR: mode <= MODE_KEEP;" in text
    assert 'MODE_CLEAR: mode_name = "CLEAR";' in text
    assert "i_payload_mode" in text


def test_constants_and_values_after_reset_have_names() -> None:
    text = _emit()["my_machine"]
    assert "  localparam [1:0] WORD_STEP = 2'd3;\n" in text
    assert "  localparam [11:0] WORD_AT_RESET = 12'd9;\n" in text
    assert "word <= WORD_AT_RESET;" in text
    assert re.search(r"word <= word \+ \{10'd0, WORD_STEP\};", text)


def test_what_is_assigned_again_is_not_written() -> None:
    text = _emit()["my_machine"]
    assert "halves[3:0] <=" in text
    assert re.findall(r"halves <= (.*);", text) == ["8'd0"]


@pytest.mark.cosim("yosys")
def test_yosys_accepts(tmp_path: Path) -> None:
    for name, text in _emit().items():
        (tmp_path / f"{name}.v").write_text(text)
    script = f"read_verilog {tmp_path}/*.v; hierarchy -check -top gallery; proc; check -assert"
    subprocess.run(["yosys", "-q", "-p", script], check=True)


@pytest.mark.cosim("verilator")
def test_verilator_has_no_warning(tmp_path: Path) -> None:
    for name, text in _emit().items():
        (tmp_path / f"{name}.v").write_text(text)
    files = [str(path) for path in tmp_path.glob("*.v")]
    flags = ["--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-PINCONNECTEMPTY", "--top-module", "gallery"]
    run = subprocess.run(["verilator", *flags, *files], check=False, capture_output=True, text=True)
    assert run.stderr == ""


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = "from tests.rtl_gen.verilog.test_verilog import _emit; print(_emit())"
    outputs = set()
    for seed in ("0", "1", "4711"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[3])}
        run = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
        outputs.add(run.stdout)
    assert len(outputs) == 1


def test_what_is_computed_alike_is_written_once() -> None:
    class Twice(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"index": In(2), "a": In(20), "b": In(20), "one": Out(20), "other": Out(20)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            chosen = [Mux(self.index[0], self.a + self.b, self.a ^ (self.b >> 3)) for _ in range(3)]
            kept = Signal(20)
            with m.If(self.index[1]):
                m.d.sync += kept.eq(chosen[0])
            m.d.comb += [self.one.eq(chosen[1] & kept), self.other.eq(chosen[2] | kept)]
            return m

    text = emit(Twice(), name="twice", prefix="", reset_low=False)["twice"]
    assert text.count("a + b") == text.count("b >> ") == text.count("index[0]") == 1


def test_part_beyond_the_end_of_a_signed_vector_is_refused() -> None:
    """Amaranth's simulator has the sign there, and Yosys zeros of the same netlist."""

    class Beyond(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"value": In(signed(6)), "at": In(3), "part": Out(3)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.d.comb += self.part.eq(self.value.bit_select(self.at, 3))
            return m

    with pytest.raises(ToolError, match=r"^A part of a signed vector must lie within it"):
        emit(Beyond(), name="beyond", prefix="", reset_low=False)


def test_memory_with_contents_is_refused() -> None:
    class Rom(wiring.Component):
        def __init__(self) -> None:
            super().__init__({"q": wiring.Out(8)})

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.submodules.rom = memory = Memory(shape=8, depth=4, init=[1, 2, 3, 4])
            memory.write_port()
            m.d.comb += self.q.eq(memory.read_port().data)
            return m

    sentence = r"^A memory must be empty at power-on, because an SRAM macro has no contents then$"
    with pytest.raises(ToolError, match=sentence):
        emit(Rom(), name="rom", prefix="", reset_low=False)
