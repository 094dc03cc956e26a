"""What a program runs on, by its name: the one place that knows all backends. Their classes say what they take."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mho.macro_models.errors import InputError, argument

if TYPE_CHECKING:
    from mho.sim.backend import Backend, Note, Progress

__all__ = ["BACKENDS", "check_backend", "open_backend"]

BACKENDS: Mapping[str, str] = MappingProxyType({
    "functional": "mho.sim.functional:FunctionalBackend",
    "cosim": "mho.sim.core.cosim:CosimBackend",
    "fpga-sim": "mho.sim.board.backend:FpgaSimBackend",
    "fpga": "mho.fpga.backends.core:FpgaBackend",
})
"""Where the class of a backend is; it is imported when it is asked for."""

ON_TILES: Mapping[str, str] = MappingProxyType({
    "cosim": "mho.sim.tile_networks.backend:TileCosimBackend",
    "fpga-sim": "mho.sim.board.tiles.backend:TilesFpgaSimBackend",
    "fpga": "mho.fpga.backends.tiles:TilesFpgaBackend",
})
"""Classes for networks that are programs of tiles; the others schedule the products of such a network themselves, with
the same bits. They take the same options."""


def _class(name: str, *, tiles: bool = False) -> "type[Backend]":
    if name not in BACKENDS:
        raise InputError(f"{argument('backend')} must be one of {', '.join(BACKENDS)}, not {name!r}")
    module, _, attribute = (ON_TILES if tiles and name in ON_TILES else BACKENDS)[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def check_backend(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a backend that there is not, and options (None: not given) that it does not take.

    Raises
    ------
    InputError
        Naming the option, its value and what would be right.
    """
    kind, given = _class(name), {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in kind.options:
            owners = [other for other in BACKENDS if option in _class(other).options]
            raise InputError(f"{argument(option)} is for the backend {' or '.join(owners)}, not {name}")
    kind.check(given)


def open_backend(
    name: str, options: Mapping[str, Any] | None = None, *, progress: "Progress | None" = None,
    note: "Note | None" = None, tiles: bool = False,
) -> "Backend":
    """A backend with its options (None: not given), and what it reports to; ``tiles``: for programs of tiles."""
    kind = _class(name, tiles=tiles)
    given = {option: value for option, value in (options or {}).items() if value is not None}
    heard = {"progress": progress, "note": note}
    return kind(**given, **{report: heard[report] for report in kind.reports})
