"""Kinds whose cells are not written by pulses of both polarities, cell by cell: a module here for each."""

from collections.abc import Callable
from typing import Any

from compiler.network import Network
from macro_models.devices import Device
from macro_models.registry import discovered, module_of
from sim.cells.instance import Cells

__all__ = ["Writer", "writer_of"]

Writer = Callable[..., Cells]
"""``(network, device, seed, progress, backend)`` to the cells of a chip: by the numpy reference of what its cores do,
or by the cores themselves."""


def writer_of(network: Network) -> "Writer | None":
    """How the chip of a network writes its cells; None: cell by cell, see :mod:`sim.cells.network`."""
    kind = network.chip.core.kind
    if kind not in discovered(__name__):
        return None
    write: Any = module_of(__name__, kind).write

    def checked(
        device: Device, seed: int, progress: Callable[[int, int], None] | None, backend: str = "functional"
    ) -> Cells:
        return write(network, device, seed, progress, backend)

    return checked
