"""A model behind the pins of a macro in a cocotb test of the user's own."""

from typing import Any

import cocotb
from cocotb.triggers import ValueChange

from mho.macro_models.errors import InputError
from mho.sim.kinds import kinds_with_bodies, pin_body
from mho.sim.pins import HandlePins, PinBody


def behind_pins(macro: Any, model: Any, *, kind: str = "tnsa") -> Any:
    """Answer for a macro from now on, in a test under cocotb, in any simulator.

    Raises InputError if there is no such macro, or no kind that answers strobes.

    Parameters
    ----------
    macro
        Handle of the macro, an instance of the module in ``tb/MACRO_python.v``, or of anything above it: it is looked
        for there, and must be there once.
    model
        A programmed core (:class:`mho.macro_models.macro.MacroModel`), as :func:`mho.cosim.macro_of` makes one; or a
        body of your own, for kind ``tnsa``: an object with ``precharge()``, ``sample(backward, positive, negative,
        wl)``, ``compare(latch, op_id)`` and ``decrement(scale, step_code)``, as of
        :class:`mho.macro_models.macro.PinLevelMacro`.
    kind
        Kind of the core, where the model does not say it.

    Returns
    -------
    cocotb.task.Task
        Ends with the test, or when it is cancelled: then another model may take its place.
    """
    kind = model.config.kind if hasattr(model, "config") else kind
    if kind not in kinds_with_bodies():
        raise InputError(f"kind must be one of {', '.join(kinds_with_bodies())}, not {kind!r}")
    places = list(_bodies(macro))
    if len(places) != 1:
        raise InputError(
            f"{macro._path}: must hold one macro of the module in tb/MACRO_python.v, not {len(places)}; build with "
            "make MACRO=MACRO_python.v")
    (place,) = places
    return cocotb.start_soon(_answer(place, pin_body(model, kind)))


async def _answer(place: Any, body: PinBody) -> None:
    strobed, pins = ValueChange(place.strobed), HandlePins(place.pins)
    while True:
        await strobed
        pins.answer(body.strobe(pins))


def _bodies(handle: Any) -> Any:
    """Handles at or below one that have the pins of a body."""
    if hasattr(handle, "pins") and hasattr(handle, "strobed"):
        yield handle
        return
    for child in handle:
        if type(child).__name__ in ("HierarchyObject", "HierarchyArrayObject"):
            yield from _bodies(child)
