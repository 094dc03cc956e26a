"""The transposable macro, strobe by strobe: the comparators are what it answers with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.macro_models.kinds import pin_level_macro
from mho.sim.core.batch import Strobe

__all__ = ["Strobed"]


class Strobed:
    """See :class:`mho.sim.core.pin_level.StrobedMacro`."""

    def __init__(self, pins: Any, model: MacroModel, keep_charges: bool) -> None:
        # A body of the user's own is one already.
        self._body: Any = pin_level_macro(model) if hasattr(model, "config") else model
        self._pins, self._lines = pins, len(pins.answer)
        self._decrements: list[int] = []
        self._charges: list[NDArray[np.int64]] | None = [] if keep_charges else None
        pins.answer.value = 0

    def strobe(self, *, answer: bool) -> None:
        """Take a strobe."""
        strobe = Strobe(self._pins.strobe.value.to_unsigned())
        if strobe is Strobe.PRECHARGE:
            self._decrements.append(0)
        elif strobe is Strobe.DECREMENT:
            self._decrements[-1] += 1
        if not answer:
            return
        self._answer(strobe)
        charges = self._charges
        if charges is not None and strobe is Strobe.COMPARE and len(charges) < len(self._decrements):
            charges.append(self._body.charge)

    def _answer(self, strobe: Strobe) -> None:
        pins, body = self._pins, self._body
        if strobe is Strobe.PRECHARGE:
            body.precharge()
        elif strobe is Strobe.SAMPLE:
            positive, negative = self._bits(pins.positive), self._bits(pins.negative)
            body.sample(bool(pins.backward.value), positive, negative, self._bits(pins.wl_en))
        elif strobe is Strobe.COMPARE:
            negative = np.asarray(body.compare(bool(pins.latch.value), pins.op_id.value.to_unsigned()), dtype=np.bool_)
            if negative.shape != (self._lines,):
                raise ToolError(f"compare() of the macro's body must give {self._lines} truth values, a line each, not "
                                f"shape {list(negative.shape)}")
            pins.answer.value = int.from_bytes(np.packbits(negative, bitorder="little").tobytes(), "little")
        else:
            body.decrement(pins.dec_scale.value.to_unsigned(), pins.step_code.value.to_unsigned())

    def _bits(self, pin: Any) -> NDArray[np.bool_]:
        value = pin.value.to_unsigned().to_bytes(self._lines // 8, "little")
        return np.unpackbits(np.frombuffer(value, dtype=np.uint8), bitorder="little").astype(np.bool_)

    def finish(self, result: Any) -> None:
        """Decrements of each conversion, and charges."""
        result.decrements = np.array(self._decrements, dtype=np.int64)
        if self._charges:
            result.charges = np.array(self._charges)
