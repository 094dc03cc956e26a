"""Kinds of macro: a module here for each, which says where its models are. Nothing else names them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError, argument
from mho.macro_models.macro import MacroConfig, MacroModel, PinLevelMacro
from mho.macro_models.registry import discovered, module_of
from mho.macro_models.types import Flags

__all__ = ["Family", "family", "kind_names", "model_from_state", "pin_level_macro"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """The models of one kind, ``FAMILY`` of its module."""

    config: type[MacroConfig]
    """Class of the configurations."""
    model: type[MacroModel]
    """Class of the programmed cores."""
    pin_level: Callable[[Any], PinLevelMacro] | None = None
    """Makes the body behind the pins of a programmed core; None where a kind has none."""
    compensations: tuple[str, ...] = ("none",)
    """How drift can be compensated, ``"none"`` first; the last of them is what is done if nobody says."""
    compensate: Callable[[Any, Any, Any, str, Flags], None] | None = None
    """``(core now, the same core when it was programmed, one without any error, how, rows of weights that it uses)``:
    sets the registers of the core as its own command does; None where ``"none"`` is all."""

    converters: Callable[[Any, Device, int, int], dict[str, Any]] | None = None
    """``(configuration, device, seed, core)``: what a core's own calibration of its converters finds, as JSON types;
    None where a kind has none."""
    restore: Callable[[Any, Mapping[str, Any]], None] | None = None
    """``(core, what converters gave)``: sets its registers. Raises InputError if they do not fit."""

    def compensation(self, how: str | None) -> str:
        """How drift is compensated if ``how`` is asked for.

        Raises InputError if cores of this kind cannot do that.
        """
        chosen = self.compensations[-1] if how is None else how
        if chosen not in self.compensations:
            raise InputError(
                f"{argument('compensation')} must be one of {', '.join(self.compensations)} for cores of kind "
                f"{self.config.kind}, not {how!r}"
            )
        return chosen


def kind_names() -> tuple[str, ...]:
    """Names of the kinds that there are, sorted."""
    return discovered(__name__)


def family(kind: str) -> Family:
    """The family of a kind.

    Raises InputError if there is none of this name.
    """
    return module_of(__name__, kind).FAMILY


def model_from_state(state: dict[str, Any]) -> MacroModel:
    """The model that :meth:`mho.macro_models.macro.MacroModel.state` described."""
    return family(state["config"]["kind"]).model.from_state(state)


def pin_level_macro(model: MacroModel) -> PinLevelMacro:
    """The macro of ``model`` behind its pins.

    Raises InputError if its kind has no body behind pins.
    """
    make = family(model.config.kind).pin_level
    if make is None:
        raise InputError(f"cores of kind {model.config.kind} have no model at the level of the pins")
    return make(model)
