"""Macros with a generated body (``hdl/pins.cpp``) from inside the simulator process, through ctypes."""

from collections.abc import Callable, Mapping
from ctypes import c_char_p, c_uint8, c_void_p
from typing import Any

from mho.macro_models import MacroModel
from mho.sim.kinds import pin_body
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody, Pins


def _places(listed: str) -> dict[str, tuple[int, int]]:
    """(offset, width) of each name of ``NAME:WIDTH,...``."""
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    for word in filter(None, listed.split(",")):
        name, width = word.split(":")
        places[name] = offset, int(width)
        offset += int(width)
    return places


class PackedPins(Pins):
    """Pins side by side in the memory that C++ has; ``call`` calls a function of the macro."""

    def __init__(self, call: Callable[..., Any], size: int) -> None:
        driven, answers, constants = call("layout").decode().split(";")
        self._driven, self._answers = _places(driven), _places(answers)
        pairs = (word.split("=") for word in constants.split(",") if word)
        self._constants = {name: int(value) for name, value in pairs}
        self._pins, self._answer = ((c_uint8 * size).from_address(call(name)) for name in ("driven", "answer"))
        self._packed = 0

    def __getitem__(self, name: str) -> int:
        if name in self._constants:
            return self._constants[name]
        offset, width = self._driven[name]
        packed = int.from_bytes(self._pins[offset // 8 : (offset + width + 7) // 8], "little")
        return packed >> offset % 8 & (1 << width) - 1

    def has(self, name: str) -> bool:
        """See :meth:`mho.sim.pins.Pins.has`."""
        return name in self._driven

    def width(self, name: str) -> int:
        """See :meth:`mho.sim.pins.Pins.width`."""
        return (self._driven.get(name) or self._answers[name])[1]

    def answer(self, values: Mapping[str, int]) -> None:
        """Drive pins of the macro."""
        for name, value in values.items():
            offset, width = self._answers[name]
            self._packed = self._packed & ~((1 << width) - 1 << offset) | value << offset
        if values:
            self._answer[:] = self._packed.to_bytes(len(self._answer), "little")


class PinMacro(SimulatedMacro):
    """A macro whose body is generated: its model is asked at each strobe."""

    prefix = "pins"

    def __init__(self, library: Any, index: int) -> None:
        super().__init__(library, index)
        self._pins = PackedPins(self.call, library.mho_pins_bytes())
        self._body: PinBody | None = None

    @classmethod
    def declare(cls, library: Any) -> None:
        """Say what other functions of the library give."""
        library.mho_pins_layout.restype = c_char_p
        library.mho_pins_driven.restype = library.mho_pins_answer.restype = c_void_p

    def put_model(self, model: MacroModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if self._body is None:
            self._body = pin_body(model)
        else:
            self._body.put_model(model)

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch."""
        super().start(mode, keep_charges=keep_charges, pauses=pauses)
        if self._body is not None:
            self._body.begin(keep_charges=keep_charges)

    def evaluate(self) -> int:
        """Answer what is at the pins."""
        assert self._body is not None
        self._pins.answer(self._body.strobe(self._pins))
        return 0

    def finish(self, result: Any, conversions: int) -> None:
        """Take what the batch left."""
        if self._body is not None:
            self._body.finish(result, conversions)
        result.failure = self.failure
