"""Manual mode: registers at the macro's pins, only while the core is idle, and never a pulse that is not enabled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value

from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.kinds.tnsa.bring_up.manual import ROWS
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore, tnsa_port
from mho.macro_models.errors import InputError
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.rtl_gen import emit_core
from mho.rtl_gen.verilog.ports import module_ports
from tests.hw.amaranth_bench import collect, put, random_inputs, simulate
from tests.hw.exact_array import ExactArray
from tests.hw.kinds.tnsa.timeline import TimedReference
from tests.rtl_gen.verilog.proving import assert_proof, with_fault

CFG = TnsaCoreConfig(
    lines=64, reset_cycles=1, plane_cycles=1, sample_cycles=2, compare_cycles=2, decrement_cycles=1, manual=True
)
WRITE = WriteVerifyConfig(lines=64, setup_cycles=1, verify_cycles=2)
ALL = 2**64 - 1


async def _enter(ctx: Any, dut: TnsaCore, **levels: int) -> None:
    ctx.set(dut.programming_enable, 1)
    await ctx.tick().repeat(6)
    await _level(ctx, dut, **levels)
    ctx.set(dut.manual.request, 1)
    await ctx.tick().until(dut.manual.active)


async def _level(ctx: Any, dut: TnsaCore, **levels: int) -> None:
    ctx.set(dut.manual.levels, {"pulse_cycles": 3, **levels})
    await ctx.tick().repeat(2)


async def _row(ctx: Any, dut: TnsaCore, name: str, value: int) -> None:
    ctx.set(dut.manual.row_enable, 1)
    ctx.set(dut.manual.row, ROWS.index(name))
    for word in range(2):
        ctx.set(dut.manual.row_word, word)
        ctx.set(dut.manual.row_data, value >> 32 * word & 0xFFFFFFFF)
        await ctx.tick()
    ctx.set(dut.manual.row_enable, 0)


async def _strobe(ctx: Any, dut: TnsaCore, **strobes: int) -> None:
    """Strobes; the next cycle is the first in which they are at the pins."""
    ctx.set(dut.manual.strobes, strobes)
    await ctx.tick()
    ctx.set(dut.manual.strobes, {})


def _pins(ctx: Any, dut: TnsaCore) -> dict[str, int]:
    """Pins that are not 0."""
    pins = {name: ctx.get(Value.cast(getattr(dut.macro, name))) for name in dut.pins.members if name != "op_id"}
    return {name: value for name, value in pins.items() if value}


def test_each_pin_of_a_product() -> None:
    dut = TnsaCore(CFG, WRITE)
    rng = np.random.default_rng(3)
    positive, negative, word_lines, cmp = (int(rng.integers(2**63)) << 1 | 1 for _ in range(4))

    async def bench(ctx: Any) -> None:
        amounts = {"plane": 5, "dec_scale": 3, "step_code": 0xABCD, "latch": 1}
        await _enter(ctx, dut, **amounts)
        assert _pins(ctx, dut) == amounts
        for name, value in zip(ROWS, (positive, negative, word_lines), strict=True):
            await _row(ctx, dut, name, value)
        lines = {"pos": positive, "neg": negative & ~positive & ALL}
        for backward, side in enumerate(("bl", "sl")):
            await _level(ctx, dut, backward=backward)
            driven = {f"{side}_{way}": value for way, value in lines.items()} | {"wl_en": word_lines}
            driven |= {"backward": 1} if backward else {}
            assert _pins(ctx, dut) == driven
            for name in ("precharge", "sample", "compare", "decrement"):
                await _strobe(ctx, dut, **{name: 1})
                assert _pins(ctx, dut) == driven | {name: 1}
                await ctx.tick()
                assert _pins(ctx, dut) == driven
        ctx.set(dut.macro.cmp, cmp)
        ctx.set(dut.macro.hold, 1)
        for word in range(2):
            ctx.set(dut.manual.cmp_word, word)
            await ctx.tick()
            assert ctx.get(dut.manual.cmp_data) == cmp >> 32 * word & 0xFFFFFFFF
        assert ctx.get(dut.manual.hold)
        # What it leaves is as after a reset.
        ctx.set(dut.manual.request, 0)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.manual.active)
        ctx.set(dut.manual.request, 1)
        await ctx.tick().repeat(3)
        assert _pins(ctx, dut) == {"backward": 1, "hold": 1, "cmp": cmp}

    simulate(dut, bench, deadline=20_000)


def test_pulses_of_exact_width_only_where_they_are_enabled() -> None:
    dut = TnsaCore(CFG, WRITE)

    async def bench(ctx: Any) -> None:
        await _enter(ctx, dut, amplitude=77)
        await _strobe(ctx, dut, pulse=1, verify=1)
        assert _pins(ctx, dut) == {}
        await _level(ctx, dut, amplitude=77, write_mode=1)
        for name, value in zip(ROWS, (4, 2, 4), strict=True):
            await _row(ctx, dut, name, value)
        chosen = {"write_mode": 1, "write_bl": 4, "write_sl": 2, "write_wl": 4, "amplitude": 77}
        assert _pins(ctx, dut) == chosen
        await _strobe(ctx, dut, sample=1, compare=1, verify=1)
        assert _pins(ctx, dut) == chosen | {"verify": 1}
        ctx.set(dut.macro.verify_code, 0x2A5)
        ctx.set(dut.macro.verify_valid, 1)
        await ctx.tick()
        assert (ctx.get(dut.manual.verify_code), ctx.get(dut.manual.verify_valid)) == (0x2A5, 1)
        answers = {"verify_code": 0x2A5, "verify_valid": 1}
        for kind, pin in enumerate(("set_pulse", "reset_pulse", "form_pulse"), 1):
            await _strobe(ctx, dut, pulse=kind)
            for _ in range(3):
                assert _pins(ctx, dut) == chosen | answers | {pin: 1}
                # Neither a read nor another pulse begins meanwhile.
                await _strobe(ctx, dut, pulse=3, verify=1)
            assert _pins(ctx, dut) == chosen | answers
        # Without the mode the selection is gone at once, and lines are not driven by it.
        await _strobe(ctx, dut, pulse=1)
        await _level(ctx, dut, amplitude=77)
        assert _pins(ctx, dut) == answers

    simulate(dut, bench, deadline=20_000)


@pytest.mark.slow
@pytest.mark.parametrize("low", [1, 2, 9])
def test_a_pulse_that_is_forbidden_does_not_come_back(low: int) -> None:
    dut = TnsaCore(CFG, WRITE)

    async def bench(ctx: Any) -> None:
        await _enter(ctx, dut, amplitude=77, write_mode=1, pulse_cycles=50)
        await _strobe(ctx, dut, pulse=2)
        assert "reset_pulse" in _pins(ctx, dut)
        ctx.set(dut.programming_enable, 0)
        await ctx.tick().repeat(low)
        assert _pins(ctx, dut) == {}
        ctx.set(dut.programming_enable, 1)
        for _ in range(60):
            await _strobe(ctx, dut, pulse=2)
            assert _pins(ctx, dut) == {}
        await _level(ctx, dut)
        await ctx.tick().repeat(6)
        await _level(ctx, dut, amplitude=77, write_mode=1)
        await _strobe(ctx, dut, pulse=2)
        assert _pins(ctx, dut) == {"write_mode": 1, "amplitude": 77, "reset_pulse": 1}

    simulate(dut, bench, deadline=20_000)


def test_it_waits_for_the_core_and_the_core_for_it() -> None:
    """Asked for while operations run, it begins when all have ended; an operation and a run that come then wait."""
    rng = np.random.default_rng(0)
    array = ExactArray.random(64, rng)
    reference, dut = TimedReference(CFG, array), TnsaCore(CFG, WRITE)
    op = TnsaOperation(in_bits=3, out_bits=5, step_code=9, early_stop=False)
    inputs = [pack_inputs(x) for x in random_inputs(op, 64, rng, 3)]
    words: list[int] = []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.programming_enable, 1)
        for x in inputs[:2]:
            await put(ctx, dut.op, pack(op))
            for word in x:
                await put(ctx, dut.i, word)
        ctx.set(dut.manual.request, 1)
        while not ctx.get(dut.manual.active):
            assert ctx.get(dut.status.busy)
            await ctx.tick()
            if not ctx.get(dut.status.busy):
                await ctx.tick()
                break
        assert ctx.get(dut.manual.active)
        assert len(words) == 64
        await put(ctx, dut.op, pack(op))
        for word in inputs[2]:
            await put(ctx, dut.i, word)
        ctx.set(Value.cast(dut.parameters), WriteVerifyParameters().pack(WRITE))
        ctx.set(dut.write_start, 1)
        await ctx.tick()
        ctx.set(dut.write_start, 0)
        for _ in range(50):
            assert ctx.get(dut.write_status.busy)
            assert not _pins(ctx, dut).keys() & {"precharge", "write_mode", "verify"}
            await ctx.tick()
        assert len(words) == 64
        ctx.set(dut.write_stop, 1)
        ctx.set(dut.manual.request, 0)

    simulate(dut, bench, collect(dut.o, 96, words), processes=[array.process(dut.macro)], deadline=20_000)
    assert words == [word for x in inputs for word in reference.run(pack(op), x)]


def test_it_is_a_key_of_the_description() -> None:
    assert not TnsaCoreConfig.from_chip(load_chip("tnsa16-core")).manual
    assert TnsaCoreConfig.from_chip(load_chip("tnsa16-core", {"core.manual": True})).manual
    assert "manual" not in tnsa_port(TnsaCoreConfig(lines=16)).members
    with pytest.raises(InputError, match=r"core\.manual must be true or false, not 1$"):
        load_chip("tnsa16-core", {"core.manual": 1})


CLAIMS = """
module proof (input wire clk, input wire rst, {inputs});
  {wires}
  mho_manual_pins pins (.clk(clk), .rst(rst), {connections});
  reg started = 1'b0;
  reg asked = 1'b0;                        // manual mode was asked for since the reset
  always @(posedge clk) begin
    started <= 1'b1;
    asked <= ~rst & ~soft_reset & (asked | port_request);
  end
  wire [2:0] kind = {{macro_set_pulse, macro_reset_pulse, macro_form_pulse}};
  wire quiet = ~core_write_mode & ~core_verify & ~core_set_pulse & ~core_reset_pulse & ~core_form_pulse;
  always @* begin
    assume (started | rst);
    if (started) begin
      assert (~port_active | asked);
      if (~port_active) assert ({same});
      if (port_active) begin
        assert ((kind & (kind - 3'd1)) == 0);
        assert (~(kind != 0 | macro_verify) | macro_write_mode);
        assert (~(kind != 0 & macro_verify));
        assert ((macro_bl_pos & macro_bl_neg) == 0 & (macro_sl_pos & macro_sl_neg) == 0);
        assert (~macro_write_mode | {{macro_bl_pos, macro_bl_neg, macro_sl_pos, macro_sl_neg, macro_wl_en}} == 0);
        assert (~macro_write_mode | ~(macro_precharge | macro_sample | macro_compare | macro_decrement));
      end
    end
  end
endmodule
"""


@pytest.mark.slow
@pytest.mark.cosim("yosys")
@pytest.mark.parametrize("fault", [None, ("& ~port_pulsing &", "&"), ("port_active ? precharge_strobe", "1'b1 ? 1'b0")])
def test_without_it_pins_are_as_without_the_block_and_with_it_safe(
    fault: tuple[str, str] | None, tmp_path: Path
) -> None:
    """For all inputs and cycles: not active, each pin is what drives it otherwise; active, no pulse without the mode,
    one at a time and none beside a read, no line driven both ways, products and programming apart."""
    files = emit_core(load_chip("tnsa16-core", {"core.manual": True}), tmp_path)
    (path,) = (path for path in files if path.name == "manual_pins.v")
    text = path.read_text()
    path.write_text(with_fault(text, fault))

    ports = {n: p for n, p in (module_ports(text, "mho_manual_pins") or {}).items() if n not in ("clk", "rst")}
    inputs = ", ".join(f"input wire {port.bits}{name}" for name, port in ports.items() if port.direction == "input")
    outputs = {name: port.bits for name, port in ports.items() if port.direction == "output"}
    same = " & ".join(f"{name} == core_{name[6:]}" for name in outputs if name.startswith("macro_"))
    claims = CLAIMS.format(
        inputs=inputs, wires=" ".join(f"wire {bits}{name};" for name, bits in outputs.items()), same=same,
        connections=", ".join(f".{name}({name})" for name in ports),
    )
    (tmp_path / "proof.v").write_text(claims)
    script = (
        "read_verilog -formal manual_pins.v proof.v; prep -top proof -flatten; chformal -lower; opt -full; "
        "sat -tempinduct -prove-asserts -set-assumes -verify proof"
    )
    assert_proof(script, tmp_path, holds=fault is None)
