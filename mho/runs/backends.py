"""What a program runs on, and what a user may choose of it: one class for each backend, the one place that knows all.

The classes that do the work are imported when they are asked for.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mho.macro_models.errors import InputError, argument

if TYPE_CHECKING:
    from mho.sim.backend import Backend, Note, Progress


@dataclass(frozen=True, kw_only=True)
class BackendOptions:
    """What a user may choose of a backend; None: not chosen. The fields of each class are its options."""

    name: ClassVar[str]
    """What users call it."""
    of_cores: ClassVar[str]
    of_tiles: ClassVar[str] = ""
    """``module:class`` of what runs products of single cores, and of what runs networks that are programs of tiles;
    without the second the first does, and the host schedules their products. Both take the same options."""

    @property
    def chosen(self) -> dict[str, object]:
        """The options that were chosen, by their names: arguments of the class that does the work."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in options.items() if value is not None}

    @property
    def processes(self) -> int:
        """Processes that share the chips of a run."""
        return 1

    @property
    def parallel(self) -> int:
        """Threads that it may take."""
        threads = self.chosen.get("threads")
        return threads if isinstance(threads, int) else 1

    def check(self) -> None:
        """Refuse values, before anything is computed.

        Raises InputError, naming the option, its value and what would be right.
        """
        self._implementation().check(self.chosen)

    def open(self, *, progress: "Progress | None" = None, note: "Note | None" = None, tiles: bool = False) -> "Backend":
        """What does the work, and what it reports to; ``tiles``: for networks that are programs of tiles."""
        work = self._implementation(tiles=tiles)
        reports = {"progress": progress, "note": note}
        return work(**self.chosen, **{name: reports[name] for name in work.reports})

    def _implementation(self, *, tiles: bool = False) -> "type[Backend]":
        module, _, name = ((tiles and self.of_tiles) or self.of_cores).partition(":")
        return getattr(importlib.import_module(module), name)


@dataclass(frozen=True, kw_only=True)
class Functional(BackendOptions):
    """The numpy models of the cores, with the cycles that the hardware would take."""

    name: ClassVar[str] = "functional"
    of_cores: ClassVar[str] = "mho.sim.functional:FunctionalBackend"

    threads: int | None = None
    """Threads that share the images; None: 1. They change nothing but time."""
    jobs: int | None = None
    """Processes that share the seeds; None: 1. They change nothing but time. A script that asks for more guards what it
    does by ``if __name__ == "__main__":``, as Python's own need."""

    @property
    def chosen(self) -> dict[str, object]:
        return {name: value for name, value in super().chosen.items() if name != "jobs"}

    @property
    def processes(self) -> int:
        return 1 if self.jobs is None else self.jobs

    def check(self) -> None:
        from mho.workers import check_jobs

        check_jobs(self.processes)
        super().check()


@dataclass(frozen=True, kw_only=True)
class Cosim(BackendOptions):
    """The generated Verilog in Verilator, the numpy models behind the pins of its macros."""

    name: ClassVar[str] = "cosim"
    of_cores: ClassVar[str] = "mho.sim.core.cosim:CosimBackend"
    of_tiles: ClassVar[str] = "mho.sim.tile_networks.backend:TileCosimBackend"

    waves: str | PathLike[str] | None = None
    """File for the waveforms (.fst)."""
    waves_tiles: Sequence[str] | None = None
    """Tiles of which they are, each as ``"C,R"``, its column and row, with a network on tiles; None: all."""
    trace: bool | None = None
    """Note what the tiles do (``Result.trace``), with a network on tiles."""
    threads: int | None = None
    """Threads that share the tiles of a chip; None: 1. They change nothing but time."""


@dataclass(frozen=True, kw_only=True)
class FpgaSim(BackendOptions):
    """The Verilog of a board, its cells emulated, in Verilator. Without noise that is drawn at every conversion."""

    name: ClassVar[str] = "fpga-sim"
    of_cores: ClassVar[str] = "mho.sim.board.backend:FpgaSimBackend"
    of_tiles: ClassVar[str] = "mho.sim.board.tiles.backend:TilesFpgaSimBackend"


@dataclass(frozen=True, kw_only=True)
class Fpga(BackendOptions):
    """A board at its serial line. Without noise that is drawn at every conversion."""

    name: ClassVar[str] = "fpga"
    of_cores: ClassVar[str] = "mho.fpga.backends:FpgaBackend"
    of_tiles: ClassVar[str] = "mho.fpga.backends:TilesFpgaBackend"

    port: str | None = None
    """Serial port, such as ``/dev/ttyUSB1``. There is no board without one."""
    baud: int | None = None
    """Its rate; None: that of the boards as they are built."""


BACKENDS: Mapping[str, type[BackendOptions]] = MappingProxyType(
    {kind.name: kind for kind in (Functional, Cosim, FpgaSim, Fpga)}
)
"""All backends by their names."""

BackendLike = str | BackendOptions
"""A backend as a user gives it: with its options, or by its name alone."""


def backend_of(backend: BackendLike, options: Mapping[str, object] | None = None) -> BackendOptions:
    """A backend with its options; of one by its name ``options`` (None: not chosen) are those.

    Raises InputError if there is no such backend, or it does not take an option.
    """
    if isinstance(backend, BackendOptions):
        return backend
    if backend not in BACKENDS:
        raise InputError(f"{argument('backend')} must be one of {', '.join(BACKENDS)}, not {backend!r}")
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    takes = {name: {field.name for field in fields(kind)} for name, kind in BACKENDS.items()}
    for option in chosen:
        if option not in takes[backend]:
            owners = [name for name, names in takes.items() if option in names]
            raise InputError(f"{argument(option)} is for the backend {' or '.join(owners)}, not {backend}")
    return BACKENDS[backend](**chosen)
