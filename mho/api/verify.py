"""The generated Verilog of a core beside its reference, as ``mho verify core`` has it, in Python."""

from pathlib import Path
from typing import TYPE_CHECKING

from mho.api.chip import Chip, chip_description
from mho.api.inputs import PathLike

if TYPE_CHECKING:
    from sim.core.bench.verify import VerifyReport

__all__ = ["verify"]


def verify(
    chip: "Chip | PathLike" = "tnsa16-core", *, sim: str = "verilator", netlist: "PathLike | None" = None,
    library: "PathLike | None" = None, waves: "PathLike | None" = None, operations: int = 60, seed: int = 0,
    **overrides: object,
) -> "VerifyReport":
    """Run random operations through the Verilog of a chip's core, and compare codes and cycles with the reference.

    Parameters
    ----------
    chip, overrides
        As at :meth:`mho.Chip.load`.
    sim
        ``"verilator"`` or ``"icarus"``.
    netlist, library
        Gate-level netlist in place of the generated Verilog, and models of its standard cells.
    waves
        File for the waveforms (.fst).
    operations, seed
        How many, and of all that is random.

    Raises
    ------
    InputError
        If the chip or a file is wrong.
    ToolError
        If the simulator is missing, or anything is not the same.
    """
    from sim.core.bench.verify import verify_core

    netlist, library, waves = (None if path is None else Path(path) for path in (netlist, library, waves))
    return verify_core(
        chip_description(chip, overrides), simulator=sim, netlist=netlist, cells=library, waves=waves,
        operations=operations, seed=seed,
    )
