"""How a simulation answers for the macro of each kind: a module here for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mho.macro_models import MacroModel
from mho.macro_models.errors import InputError
from mho.macro_models.registry import discovered, module_of

if TYPE_CHECKING:
    from mho.hw.config import Chip

__all__ = ["Body", "Evaluator", "SimulatedMacro", "body", "macros_of_kinds", "make_evaluator"]


class Evaluator(Protocol):
    """Answers the conversions of one macro model as the shim asks for them."""

    def forget(self) -> None:
        """The next conversion looks everything up, whatever the shim says."""
        ...

    def __call__(self, record: Any) -> int:
        """Answer the conversion in the shim's ``record``."""
        ...


class SimulatedMacro(Protocol):
    """One macro of a simulation, and the model behind its pins."""

    path: str
    """Where it is in the design."""

    def put_model(self, model: Any) -> None:
        """Put this model behind the pins from the next batch on."""
        ...

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch; ``pauses`` is the address of the pauses of its bench."""
        ...

    @property
    def failure(self) -> str:
        """What went wrong in the batch, nothing if all is well."""
        ...

    def finish(self, result: Any) -> None:
        """Write what the batch left into a :class:`mho.sim.core.batch.BatchResult`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Body:
    """``BODY`` of a kind: what stands behind the pins of its macros in Verilator.

    Attributes
    ----------
    hdl
        SystemVerilog in ``sim/hdl``; the module is `MHO_MACRO.
    sources
        C++ in ``sim/hdl`` behind it, beside what all simulators have.
    defines
        Macros of the preprocessor that it takes beside MHO_LINES, for a chip.
    macros
        Makes the macros of a simulation from the functions of its process; none if there are none of the kind.
    """

    hdl: str
    sources: tuple[str, ...] = ()
    defines: "Callable[[Chip], Mapping[str, object]]" = lambda chip: {}
    macros: Callable[[Any], Sequence[SimulatedMacro]] = lambda library: ()


def body(chip: "Chip") -> Body:
    """What stands behind the pins of the macros of a chip.

    Raises
    ------
    InputError
        If cores of its kind are modelled, but not simulated.
    """
    if chip.core.kind not in discovered(__name__):
        raise InputError(f"{chip.name}: cores of kind {chip.core.kind} have a model, but no body in a simulation")
    return module_of(__name__, chip.core.kind).BODY


def macros_of_kinds(library: Any) -> list[SimulatedMacro]:
    """The macros of a simulation that kinds bring a body of their own for, whose C++ has a function mho_KIND_macros."""
    there = [kind for kind in discovered(__name__) if hasattr(library, f"mho_{kind}_macros")]
    return [macro for kind in there for macro in module_of(__name__, kind).BODY.macros(library)]


def make_evaluator(model: MacroModel, record: Any) -> Evaluator:
    """The lazy evaluator of a model; ``record`` is the shim's ``Conversion``."""
    return module_of(__name__, model.config.kind).Evaluator(model, record)
