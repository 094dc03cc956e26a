"""A transposable macro at its pins, strobe by strobe."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.macro_models.kinds import pin_level_macro
from mho.sim.pins import PinBody, Pins

__all__ = ["TnsaPins"]


class TnsaPins(PinBody):
    """Asked at each strobe; the comparators are what it answers with.

    The model is a programmed core, or a body of the user's own with the methods of
    :class:`mho.macro_models.macro.PinLevelMacro`.
    """

    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""
        self._macro: Any = pin_level_macro(model) if hasattr(model, "config") else model

    def begin(self, *, keep_charges: bool = False) -> None:
        """Forget decrements and charges."""
        self._decrements: list[int] = []
        self._charges: list[NDArray[np.int64]] | None = [] if keep_charges else None

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """What the comparators say from now on."""
        macro = self._macro
        if pins["precharge"]:
            self._decrements.append(0)
            macro.precharge()
        elif pins["sample"]:
            backward = bool(pins["backward"])
            side = "sl" if backward else "bl"
            macro.sample(backward, pins.bits(f"{side}_pos"), pins.bits(f"{side}_neg"), pins.bits("wl_en"))
        elif pins["compare"]:
            return {"cmp": self._compare(pins)}
        elif pins["decrement"]:
            self._decrements[-1] += 1
            macro.decrement(pins["dec_scale"], pins["step_code"])
        return {}

    def _compare(self, pins: Pins) -> int:
        lines = pins.width("cmp")
        negative = np.asarray(self._macro.compare(bool(pins["latch"]), pins["op_id"]), dtype=np.bool_)
        if negative.shape != (lines,):
            raise ToolError(
                f"compare() of the macro's body must give {lines} truth values, a line each, not "
                f"shape {list(negative.shape)}"
            )
        if self._charges is not None and len(self._charges) < len(self._decrements):
            self._charges.append(self._macro.charge)
        return int.from_bytes(np.packbits(negative, bitorder="little").tobytes(), "little")

    def finish(self, result: Any, conversions: int) -> None:
        """Decrements of each conversion, and charges."""
        result.decrements = np.array(self._decrements, dtype=np.int64)
        if self._charges:
            result.charges = np.array(self._charges)
