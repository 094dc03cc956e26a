"""What there is, by name, and what a chip is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mho.api.chip import Chip, chip_description
from mho.api.device import Device
from mho.api.inputs import PathLike
from mho.macro_models.shown import Shown

if TYPE_CHECKING:
    from mho.fpga.boards import Board


def presets() -> dict[str, Chip]:
    """The shipped chips by their names."""
    from mho.hw.config import preset_names

    return {name: Chip.load(name) for name in preset_names()}


def devices() -> dict[str, Device]:
    """The shipped devices by their names."""
    from mho.macro_models.devices import device_names

    return {name: Device.load(name) for name in device_names()}


def boards() -> "dict[str, Board]":
    """The boards that bitstreams are made for, by their names."""
    from mho.fpga.boards import BOARDS

    return dict(BOARDS)


def backends() -> list[str]:
    """Names of what a network runs on, for ``backend=``."""
    from mho.runs.backends import BACKENDS

    return list(BACKENDS)


@dataclass(frozen=True, kw_only=True, repr=False)
class Check(Shown):
    """What a chip's description says and means."""

    chip: Chip
    """The chip."""
    sizes: dict[str, str]
    rated: dict[str, str]
    """What follows from the description, and figures with all cores busy: texts with units, by name."""
    warnings: list[str]
    """Sentences about what is legal but probably not meant."""
    pins: list[str]
    """What is wrong with the pins of the user's own macro; empty: nothing."""

    def _facts(self) -> dict[str, object]:
        counts = {"warnings": len(self.warnings), "pins that do not fit": len(self.pins)}
        return {"chip": self.chip.name, "cores": self.sizes["cores"], **counts}


def check(chip: "Chip | PathLike", **overrides: object) -> Check:
    """Resolve a chip's description, and say its sizes, warnings and problems.

    Raises InputError if the description is wrong, or its device is not for it.

    Parameters
    ----------
    chip, overrides
        As at :meth:`mho.Chip.load`.
    """
    from mho.hw.chip.rating import rating_rows, tile_sizes
    from mho.hw.config import check_device, default_device, sizes, warnings

    resolved = chip_description(chip, overrides)
    check_device(resolved, default_device(resolved))
    said, pins = warnings(resolved) + resolved.slow_warnings(), list[str]()
    if resolved.macro is not None:
        from mho.rtl_gen import check_macro_pins, macro_warnings

        said, pins = said + macro_warnings(resolved), check_macro_pins(resolved)
    return Check(
        chip=Chip(resolved), sizes=dict([*sizes(resolved), *(tile_sizes(resolved) if resolved.tiled else ())]),
        rated=dict(rating_rows(resolved)), warnings=said, pins=pins,
    )
