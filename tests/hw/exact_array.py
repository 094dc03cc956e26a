"""An exact macro, as a model and at the pins of a core."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, Masks, MvmOperation
from mho.macro_models.integer.tnsa.converter import combine_segments, convert
from tests.hw.amaranth_bench import Bench, bits_of, value_of


class ExactResult(NamedTuple):
    """Codes of shape (batch, lines), and decrements of shape (batch, segments)."""

    codes: NDArray[np.int16]
    steps: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ExactArray:
    """A macro whose charges and steps are any integers: as a model, and as a process at the pins of a core.

    Parameters
    ----------
    g
        Cells [bit line, source line], integers of shape (lines, lines).
    s_pos, s_neg
        Charge of one decrement for ``step_code`` 1, even and positive, of shape (lines,).
    offset
        Odd offsets of the charge, of shape (lines,).
    """

    g: NDArray[np.int64]
    s_pos: NDArray[np.int64]
    s_neg: NDArray[np.int64]
    offset: NDArray[np.int64]

    @classmethod
    def random(cls, lines: int, rng: np.random.Generator) -> "ExactArray":
        """An array with conductances 0..15 and converters that differ in everything."""
        s_pos, s_neg = 2 * rng.integers(1, 12, (2, lines))
        return cls(rng.integers(0, 16, (lines, lines)), s_pos, s_neg, 2 * rng.integers(-8, 8, lines) + 1)

    @property
    def lines(self) -> int:
        """Lines each way."""
        return len(self.offset)

    def mvm(self, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: object = 0) -> ExactResult:
        """Codes and decrements for vectors ``x`` of shape (batch, codes)."""
        x = np.asarray(x, dtype=np.int64)
        backward = op.direction is Direction.BACKWARD
        levels = (x if backward else np.stack([x, -x], axis=-1).reshape(len(x), -1)) * masks.driven(op)
        cells = self.g * masks.word_lines(op)[:, None]
        segments = [levels]
        if op.segments > 1:
            high = np.sign(levels) * (np.abs(levels) >> LSB_SEGMENT_BITS)
            segments = [high, levels - (high << LSB_SEGMENT_BITS)]
        codes, steps = zip(
            *(
                convert(
                    op,
                    2 * (part @ (cells.T if backward else cells)) + self.offset,
                    self.s_pos * op.step_code,
                    self.s_neg * op.step_code,
                    masks.enabled(op),
                )
                for part in segments
            ),
            strict=True,
        )
        result = codes[0] if op.segments == 1 else combine_segments(codes[0], codes[1])
        return ExactResult(result.astype(np.int16), np.stack(steps, axis=-1))

    def process(
        self, pins: Any, hold: Iterator[int] | None = None, show: Callable[[int, int], int] | None = None
    ) -> Bench:
        """Process that answers at ``pins`` of a core at every strobe.

        ``hold`` gives the value of that pin for each cycle; by default it stays 0. ``show`` gives that of ``cmp`` from
        the number of cycles since the last compare's strobe, and the answer; by default the answer stands from 1 on.
        """
        names = ("backward", "bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en", "precharge", "sample", "compare", "latch",
                 "decrement", "dec_scale", "step_code")

        async def run(ctx: Any) -> None:
            charge, direction = self.offset.copy(), np.ones(self.lines, dtype=np.int64)
            answer, age = 0, 0
            async for _, reset, *values in ctx.tick().sample(*(getattr(pins, name) for name in names)):
                pin: dict[str, int] = dict(zip(names, values, strict=True))
                if hold is not None:
                    ctx.set(pins.hold, next(hold))
                if reset:
                    continue
                if pin["precharge"]:
                    charge = self.offset.copy()
                if pin["sample"]:
                    charge += 2 * self._accumulate(pin)
                if pin["decrement"]:
                    step = np.where(direction > 0, self.s_pos, self.s_neg) * pin["step_code"]
                    charge -= direction * (step << pin["dec_scale"])
                age += 1
                if pin["compare"]:
                    answer, age = value_of(charge < 0), 1
                    if pin["latch"]:
                        direction = np.where(charge < 0, -1, 1)
                ctx.set(pins.cmp, answer if show is None else show(age, answer))

        return run

    def _accumulate(self, pin: dict[str, int]) -> NDArray[np.int64]:
        side, lines = ("sl", "bl") if pin["backward"] else ("bl", "sl"), self.lines
        level = bits_of(pin[f"{side[0]}_pos"], lines).astype(np.int64) - bits_of(pin[f"{side[0]}_neg"], lines)
        cells = self.g * bits_of(pin["wl_en"], lines)[:, None]
        return level @ (cells.T if pin["backward"] else cells)
