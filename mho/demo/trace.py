"""One matrix-vector product of a network, recorded cycle by cycle at the pins of its core in Amaranth's simulator.

The core is the one from which the Verilog is written, and the macro behind its pins
is the model at pin level: what is drawn
from it is what the hardware does.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from amaranth.sim import Simulator
from numpy.typing import ArrayLike, NDArray

from mho.hw.core.layout import pack, pack_inputs, unpack_codes
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.kinds import pin_level_macro
from mho.sim.backend import BackendResult, HostScheduled
from mho.sim.core.words import MaskImage
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

if TYPE_CHECKING:
    from mho.compiler import Network

STROBES = ("precharge", "sample", "compare", "decrement")
_LEAD, _TAIL = 4, 6
"""Cycles that are kept before the first and after the last strobe."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One product, recorded in every clock cycle."""

    period_ns: float
    """Clock period, in ns."""
    strobes: dict[str, NDArray[np.bool_]]
    """For each of :data:`STROBES` whether it is high, (cycles,)."""
    plane: NDArray[np.int64]
    """Binary weight of the plane on the line registers, (cycles,)."""
    charge: NDArray[np.float64]
    """Charge of each integrator in decrement steps, (lines, cycles)."""
    codes: NDArray[np.int16]
    """What the core gave, in half steps, (lines,)."""
    enabled: NDArray[np.bool_]
    """Whether a line is converted, (lines,)."""


@dataclass
class _Recorder:
    """The macro's process in the simulator, and its notes."""

    model: MacroModel
    pins: Any
    step_code: int
    strobes: list[tuple[bool, ...]] = field(default_factory=list)
    plane: list[int] = field(default_factory=list)
    charge: list[NDArray[np.float64]] = field(default_factory=list)

    async def process(self, ctx: Any) -> None:
        """Answer the strobes of each cycle at the clock edge that ends it."""
        pins, macro = self.pins, pin_level_macro(self.model)
        watched = (
            *(getattr(pins, name) for name in STROBES), pins.plane, pins.backward, pins.bl_pos, pins.bl_neg,
            pins.sl_pos, pins.sl_neg, pins.wl_en, pins.latch, pins.op_id, pins.dec_scale,
        )
        async for _, _, precharge, sample, compare, decrement, plane, backward, *rest in ctx.tick().sample(*watched):
            bl_pos, bl_neg, sl_pos, sl_neg, wl, latch, op_id, scale = rest
            if precharge:
                macro.precharge()
            if sample:
                positive, negative = (sl_pos, sl_neg) if backward else (bl_pos, bl_neg)
                macro.sample(bool(backward), self._bits(positive), self._bits(negative), self._bits(wl))
            if compare:
                flipped = macro.compare(bool(latch), op_id)
                ctx.set(pins.cmp, int.from_bytes(np.packbits(flipped, bitorder="little").tobytes(), "little"))
            if decrement:
                macro.decrement(scale, self.step_code)
            self.strobes.append((bool(precharge), bool(sample), bool(compare), bool(decrement)))
            self.plane.append(plane)
            self.charge.append(macro.charge_in_steps(self.step_code))

    def _bits(self, value: int) -> NDArray[np.bool_]:
        lines = self.model.config.lines
        packed = np.frombuffer(value.to_bytes((lines + 7) // 8, "little"), dtype=np.uint8)
        return np.unpackbits(packed, bitorder="little")[:lines].astype(bool)


async def _put(ctx: Any, port: Any, payload: Any) -> None:
    ctx.set(port.payload, payload)
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


class _FirstProduct(FunctionalBackend):
    """The functional backend product by product, which remembers the first that it was asked for."""

    run = HostScheduled.run

    def __init__(self) -> None:
        super().__init__()
        self.asked: tuple[MacroModel, MvmOperation, Masks, NDArray[np.integer], int] | None = None
        self.codes = np.zeros(0, dtype=np.int16)

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        result = super().mvm(core, op, masks, x, op_id)
        if self.asked is None:
            self.asked = (self._cores[core], op, masks, x[0], int(np.ravel(op_id)[0]))
            self.codes = result.codes[0]
        return result


def record(
    network: "Network", x: NDArray[np.floating], *, seed: int = 0, time_s: float = 86400.0, temp_C: float = 25.0
) -> Trace:
    """Run the first product of a network for one input ``x`` of the model's shape, on its device after ``time_s``.

    Raises ToolError if the codes are not those of the functional backend.
    """
    backend = _FirstProduct()
    execute(network, backend, np.asarray(x)[None], seed=seed, time_s=time_s, temp_C=temp_C)
    assert backend.asked is not None
    model, op, masks, vector, op_id = backend.asked
    cfg = TnsaCoreConfig.from_chip(network.chip)
    dut = TnsaCore(cfg)
    recorder = _Recorder(model, dut.macro, op.step_code)
    words: list[int] = []

    async def bench(ctx: Any) -> None:
        for address, data in MaskImage(cfg).update(op, masks):
            await _put(ctx, dut.mask, {"addr": int(address), "data": int(data)})
        await _put(ctx, dut.op, dut.op.payload.shape().from_bits(pack(op, op_id)))
        for word in pack_inputs(vector):
            await _put(ctx, dut.i, word)
        ctx.set(dut.o.ready, 1)
        while len(words) < cfg.output_words:
            (word,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            words.append(word)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6 / network.chip.clock.f_clk_MHz)
    simulator.add_process(recorder.process)
    simulator.add_testbench(bench)
    simulator.run()
    codes = unpack_codes(words)
    if not np.array_equal(codes, backend.codes):
        raise ToolError("the codes of the recorded product are not those of the functional model")
    strobes = np.array(recorder.strobes)
    busy = np.flatnonzero(strobes.any(axis=1))
    span = slice(max(busy[0] - _LEAD, 0), busy[-1] + _TAIL)
    return Trace(
        period_ns=1000 / network.chip.clock.f_clk_MHz,
        strobes={name: strobes[span, k] for k, name in enumerate(STROBES)},
        plane=np.array(recorder.plane[span]), charge=np.array(recorder.charge[span]).T, codes=codes,
        enabled=masks.enabled(op),
    )
