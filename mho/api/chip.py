"""Chips, as a user of Python has them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from mho.api.inputs import PathLike
from mho.hw.config import Chip as ChipDescription
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.macro_models.shown import Shown

if TYPE_CHECKING:
    from mho.api.device import Device
    from mho.api.matrix import Matrix
    from mho.rtl_gen import GenerationReport
    from mho.runs.backends import BackendLike
    from mho.sim.layout.signoff import Layout


class Chip(Shown):
    """A chip description, complete and checked.

    Members
    -------
    description
        The sections and keys, frozen.
    """

    def __init__(self, description: ChipDescription) -> None:
        self.description = description

    @classmethod
    def load(cls, name_or_path: PathLike, **overrides: object) -> "Chip":
        """A preset by its name or a TOML file by its path; overrides as in ``**{"adc.bits": 6}``.

        Raises InputError if the file cannot be read, or a key is unknown, out of range or contradictory.
        """
        return cls(load_chip(name_or_path, overrides))

    @property
    def name(self) -> str:
        """Name of the chip."""
        return self.description.name

    @property
    def lines(self) -> int:
        """Bit lines, source lines and word lines of one core."""
        return self.description.lines

    def generate(
        self, directory: PathLike, *, part: str | None = None, wrap: str | None = None, top: str | None = None,
        prefix: str | None = None, tile: str | None = None,
    ) -> "GenerationReport":
        """Write Verilog, stubs, registers and tape-out files; the report names the top, its size and every file.

        Raises InputError if an option is wrong, the chip has no such part, the macro's pins do not fit, or the folder
        holds files of somebody else. Raises ToolError if the folder cannot be written.

        Parameters
        ----------
        directory
            Made if it does not exist.
        part
            ``"core"``: the core of a chip that has one; of one that has several ``"chip"``: all of it, ``"tile"``: one
            of its tiles, ``"noc"``: its network on chip; ``None``: all there is.
        wrap
            Bus around a core or a chip: ``"none"``, ``"wishbone"`` (the default), ``"axil"`` or ``"uart"``.
        top, prefix
            Name of the top module, and what is put before the name of every other one; ``None``: as in the chip.
        tile
            Which tile is the part ``"tile"``, ``"column,row"``; ``None``: ``"0,0"``.
        """
        from mho.rtl_gen import generate
        from mho.sim.silicon.memories.binding import binding

        return generate(
            self.description, Path(directory), part=part, wrap=wrap, top=top, prefix=prefix, tile=tile,
            bind=binding(self.description),
        )

    def harden(
        self, pdk: PathLike, directory: PathLike, *, part: str = "core", module: str = "", density: float = 0.6,
        until: str = "", abstract: PathLike | None = None, activity: PathLike | None = None, products: int = 1,
        note: Callable[[str], None] | None = None, progress: Callable[[int, int], None] | None = None,
    ) -> "Layout":
        """Make a layout; what tools say of it, and whether it is clean.

        Raises InputError if an option is wrong, or the PDK is none. Raises ToolError if a tool is missing or fails.

        Parameters
        ----------
        pdk
            Folder of the process, with settings that are shipped (SG13G2) or its own ``mho.toml``.
        directory
            Takes scripts, logs, GDS, DEF, netlists and reports; stages that are done there are not done again.
        part, module
            ``"core"``, ``"tile"`` or ``"chip"``; a module in it alone.
        density
            Share of the rows that cells fill, 0.2 to 0.9.
        until
            The stage that is the last: ``"floorplan"``, ``"place"``, ``"clock"`` or ``"finish"``; all if empty.
        abstract
            Folder of the layout of a module within, as the chip's tile, which is placed as it is.
        activity, products
            Waveforms of its netlist, and how many products (vectors) they have: for the energy of one.
        note, progress
            Called with what a stage that begins does, and with how many of all are done.
        """
        from mho.sim.layout.harden import harden

        return harden(
            self.description, Path(pdk), Path(directory), part=part, module=module, density=density, until=until,
            abstract=None if abstract is None else Path(abstract),
            activity=None if activity is None else Path(activity), products=products, note=note, progress=progress)

    def matrix(
        self, weights: ArrayLike, *, device: "Device | PathLike | None" = None, seed: int = 0,
        time: str | float = 0.0, in_bits: int = 8, out_bits: int | None = None, calibrate: ArrayLike | None = None,
        without: Collection[str] = (), backend: "BackendLike" = "functional",
    ) -> "Matrix":
        """A matrix in the cells: ``chip.matrix(w) @ x``, and ``chip.matrix(w).T @ y`` of cores that go both ways.

        Raises InputError if an argument is out of range, or the chip has too few cores.

        Parameters
        ----------
        weights
            Of shape (outputs, inputs), shared out among cores.
        device, seed, time
            Cells (None: the chip's device), which chip, and time since programming.
        in_bits, out_bits
            Of the codes; None: the most that converters give.
        calibrate
            Typical vectors, (inputs,) or (inputs, count), whose products converters just reach; None: random ones, and
            the one with the largest product.
        without
            Causes of non-ideality to leave out, as at :meth:`mho.Net.run`.
        backend
            As at :meth:`mho.Net.run`.
        """
        from mho.api.matrix import Matrix

        return Matrix(weights, self.description, device=device, seed=seed, time=time, in_bits=in_bits,
                      out_bits=out_bits, calibrate=calibrate, without=without, backend=backend)

    def _facts(self) -> dict[str, object]:
        chip = self.description
        return {"name": chip.name, "cores": chip.cores, "lines": chip.lines, "device": chip.device}


def chip_description(chip: Chip | PathLike, overrides: Mapping[str, object] | None = None) -> ChipDescription:
    """What the user gave as a chip, as a description, with the keys that are changed.

    Raises InputError as :meth:`Chip.load`; if keys of a chip are to be changed that is loaded.
    """
    if not isinstance(chip, Chip):
        return load_chip(chip, overrides or {})
    if overrides:
        raise InputError(f"{next(iter(overrides))}: keys are changed when a chip is loaded, as by mho.Chip.load")
    return chip.description
