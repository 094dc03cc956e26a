"""Kinds whose cells are not written by pulses of both polarities, cell by cell: a module here for each."""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network import Network
from mho.macro_models.registry import discovered, module_of
from mho.sim.programming.instance import Cells

__all__ = ["RowProgrammer", "Writer", "writer_of"]

Writer = Callable[..., Cells]
"""``(network, device, seed, progress, programmer, source)`` to the cells of a chip."""


class RowProgrammer(Protocol):
    """A backend whose cores program themselves."""

    def program_rows(
        self, core: int, model: Any, targets: NDArray[np.int64], parameters: Any, skip: NDArray[np.bool_]
    ) -> tuple[Any, NDArray[np.int64]]:
        """Program a core; see :meth:`mho.sim.core.cosim.CosimBackend.program_rows`."""
        ...


def writer_of(network: Network) -> Writer | None:
    """How the chip of a network writes its cells; None: cell by cell, see :mod:`mho.sim.programming.network`."""
    kind = network.chip.core.kind
    if kind not in discovered(__name__):
        return None
    return partial(module_of(__name__, kind).write, network)
