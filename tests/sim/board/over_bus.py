"""A compiled network on a chip of tiles behind a bus that a master of others drives: all goes through its registers.

The cores are emulated as on a board, so that their cells are words of the bus, too.
"""

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler.network import Network
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.tops import ChipTop
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.verilog.netlist import emit
from tests.sim.chip.buses import BusProgram, build_for_icarus, run_with_master

__all__ = ["emulated_chip", "network_over_bus"]

_TOP = "mho_chip_on_bus"
_START_S, _IMAGE_S = 1800.0, 600.0
"""How long a simulation may take, in s: until all is loaded, and for an image, in Icarus on a busy machine."""


def emulated_chip(network: Network) -> TilesConfig:
    """The chip of a network with emulated cores.

    Raises
    ------
    InputError
        If its cores cannot be emulated, or it has no tiles.
    """
    return TilesConfig(chip=network.chip, lanes=min(8, network.chip.lines))


def network_over_bus(network: Network, x: ArrayLike, wrap: str, *, seed: int = 0) -> NDArray[np.float32]:
    """Outputs of a network with ideal cells, its programs and cells loaded and its images sent by a bus master.

    In Icarus Verilog, where all begins unknown, with a master of cocotbext. Every value of the chip that the host gets
    must be what follows from the models of the cores.

    Parameters
    ----------
    network
        With programs of tiles.
    x
        Inputs in the model's units, (images, ...).
    wrap
        ``axil`` or ``wishbone``.
    seed
        Which chip.

    Raises
    ------
    InputError
        If the network has no programs, or its chip no cores that are emulated.
    ToolError
        If anything is not as expected, or a tool or cocotb is missing or fails.
    """
    program = _build(emulated_chip(network), wrap)
    images = np.asarray(x)
    with Workspace("network") as folder:
        files = {"network": folder / "network.mho", "x": folder / "x.npy", "output": folder / "output.npy"}
        network.save(files["network"])
        np.save(files["x"], images)
        job = {name: str(path) for name, path in files.items()} | {"wrap": wrap, "seed": seed}
        run_with_master(program, "tests.sim.board.bus_server", job, _START_S + _IMAGE_S * len(images))
        return np.load(files["output"])


def _build(cfg: TilesConfig, wrap: str) -> BusProgram:
    def sources(folder: Path) -> tuple[list[Path], str]:
        modules = emit(ChipTop(cfg.parts, wrap=wrap), name=_TOP, prefix="mho_", reset_low=False,
                       configs=cfg.parts.configurations)
        (folder / "chip.v").write_text("\n".join(modules.values()), encoding="utf-8")
        return [folder / "chip.v"], _TOP

    return build_for_icarus("network-bus", [repr(cfg), wrap], sources)
