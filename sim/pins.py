"""A model behind the pins of a macro: what it sees there, and what answers.

A contract of pins (:class:`mho.hw.macro.contract.ContractPins`) says at which of its pins a model is asked. From that
the module behind the pins is generated (:mod:`mho.rtl_gen.macro.body`); each time it calls :meth:`PinBody.strobe` once.
A kind brings nothing but a subclass, in Verilator, in Icarus and in a test of the user's own alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(words: NDArray[np.integer], bits: int) -> int:
    """Words of so many bits side by side, two's complement, the first one lowest."""
    each = np.ravel(words)[:, None] >> np.arange(bits) & 1
    return int.from_bytes(np.packbits(each.astype(np.uint8), bitorder="little").tobytes(), "little")


class Pins(ABC):
    """What is at the pins that the core drives, and the constants of the contract, by name."""

    @abstractmethod
    def __getitem__(self, name: str) -> int:
        """The value of a pin as a number without a sign; ``cycle``: cycles in which pulses were on, without holds."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether the core drives such a pin."""

    @abstractmethod
    def width(self, name: str) -> int:
        """Bits of a pin, whoever drives it."""

    def bits(self, name: str) -> NDArray[np.bool_]:
        """The bits of a pin, the lowest first."""
        width = self.width(name)
        packed = np.frombuffer(self[name].to_bytes(-(-width // 8), "little"), dtype=np.uint8)
        return np.unpackbits(packed, count=width, bitorder="little").astype(np.bool_)


class HandlePins(Pins):
    """Pins that are signals of a module in a simulator under cocotb."""

    def __init__(self, module: Any) -> None:
        self.module = module

    def __getitem__(self, name: str) -> int:
        value = getattr(self.module, name).value
        return value.to_unsigned() if hasattr(value, "to_unsigned") else int(value)

    def has(self, name: str) -> bool:
        """See :meth:`Pins.has`."""
        return hasattr(self.module, name)

    def width(self, name: str) -> int:
        """See :meth:`Pins.width`."""
        return len(getattr(self.module, name))

    def answer(self, values: Mapping[str, int]) -> None:
        """Drive pins of the macro."""
        for name, value in values.items():
            getattr(self.module, name).value = value


class PinBody(ABC):
    """What answers for one macro at its pins. Its registers stay as they are when another model comes behind them."""

    def __init__(self, model: Any) -> None:
        self.put_model(model)
        self.begin()

    @abstractmethod
    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""

    def begin(self, *, keep_charges: bool = False) -> None:  # noqa: B027 - most have nothing to forget
        """Forget what was noted, before a batch."""

    @abstractmethod
    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """What the macro drives from the next cycle on, by pin; what is not among it stays.

        Called at the end of a cycle in which a strobe of the contract was 1, or in which one of its watched pins or
        pulses was another than in the cycle before.

        Raises ToolError if the pins are not as the contract wants them.
        """

    def finish(self, result: Any, conversions: int) -> None:
        """Write what was noted into a :class:`mho.sim.core.batch.BatchResult`; a conversion makes no decrements."""
        result.decrements = np.zeros(conversions, dtype=np.int64)
