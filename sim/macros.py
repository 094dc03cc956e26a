"""A macro of a simulation in Verilator, whose C++ asks for its model: from inside the process, through ctypes."""

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Sequence
from ctypes import c_char_p, c_int32, c_void_p
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

FAILED = -1
"""What a model answers that could not."""

_CALLBACK = ctypes.CFUNCTYPE(c_int32, c_int32)


class SimulatedMacro(ABC):
    """One macro, and the model behind its pins.

    Parameters
    ----------
    library
        The functions of the simulator: ``mho_PREFIX_macros``, ``_path``, ``_failure``, ``_start``, ``_set_evaluate``.
    index
        Which macro of them this is.

    Attributes
    ----------
    path
        Where it is in the design.
    programmed
        Codes of the cells as commands of the core left them; None if there were none.
    errors
        What its model raised in the batch.
    """

    prefix: ClassVar[str]
    programmed: NDArray[np.int64] | None = None

    _callbacks: ClassVar[list[Any]] = []
    """ctypes keeps no reference to a callback; there is one simulation in a process."""

    def __init__(self, library: Any, index: int) -> None:
        self._library, self._index = library, index
        self.path: str = self.call("path").decode()
        self.errors: list[BaseException] = []

    @classmethod
    def all_of(cls, library: Any) -> Sequence[Self]:
        """All macros of this kind in the simulation; none where its C++ is not in it."""
        if not hasattr(library, f"mho_{cls.prefix}_macros"):
            return []
        for name in ("path", "failure"):
            getattr(library, f"mho_{cls.prefix}_{name}").restype = c_char_p
        cls.declare(library)
        macros = [cls(library, index) for index in range(getattr(library, f"mho_{cls.prefix}_macros")())]
        evaluate = _CALLBACK(lambda index: macros[index].guarded(macros[index].evaluate))
        SimulatedMacro._callbacks.append(evaluate)
        getattr(library, f"mho_{cls.prefix}_set_evaluate")(evaluate)
        return macros

    @classmethod  # noqa: B027 - most have no others
    def declare(cls, library: Any) -> None:
        """Say what other functions of the library give."""

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of this macro."""
        return getattr(self._library, f"mho_{self.prefix}_{name}")(self._index, *arguments)

    def guarded(self, answer: Any, *arguments: Any) -> int:
        """What ``answer`` gives; its errors are kept, since a callback from C++ has nobody to raise to."""
        try:
            return answer(*arguments)
        except BaseException as error:
            self.errors.append(error)
            return FAILED

    @abstractmethod
    def put_model(self, model: Any) -> None:
        """Put this model behind the pins from the next batch on."""

    @abstractmethod
    def evaluate(self) -> int:
        """Answer what C++ asks."""

    @abstractmethod
    def finish(self, result: Any, conversions: int) -> None:
        """Write what a batch of so many conversions left into a :class:`mho.sim.core.batch.BatchResult`."""

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch; ``pauses`` is the address of the pauses of its bench."""
        self.errors.clear()
        self.call("start", int(mode), int(keep_charges), c_void_p(pauses))

    @property
    def failure(self) -> str:
        """What went wrong in the batch, nothing if all is well."""
        sentence = self.call("failure")
        words = sentence.decode() if sentence else ""
        return f"{words}: {self.errors[0]!r}" if self.errors else words
