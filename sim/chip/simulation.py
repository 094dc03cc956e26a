"""The Verilog of a chip in Verilator, ideal macros behind its tiles, reached through its bus or a serial line.

For what runs for many cycles each tile is a model of its own (:func:`build_apart`), each kind compiled once. Tiles that
wait are not evaluated, and those that do not are part by part of a clock edge (``sim/hdl/mesh_tiles.cpp``). Cycles are
those of one model of the whole chip.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from amaranth.lib import wiring

from mho.hw.chip.map import ChipParts
from mho.hw.chip.tops import TiledChip, configurations
from mho.hw.config import Chip
from mho.hw.config import Chip as Description
from mho.hw.host.link.format import Status
from mho.hw.host.link.tasks import Read, Write
from mho.macro_models.errors import ToolError
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.adapter import write_adapter
from mho.rtl_gen.macro.pin_check import macro_map
from mho.rtl_gen.verilog.netlist import emit
from mho.sim.board.bus import SimulatedBus
from mho.sim.build.bench import bench_key, build_bench, cached_bench
from mho.sim.build.tile_shell import TileModels, models_key
from mho.sim.build.toolchain import HDL, cached_build, hash_files
from mho.sim.build.verilate import FAST, UNOPTIMISED, hardware_hash
from mho.sim.chip import bus_masters
from mho.sim.chip.traffic import Expected

_SOURCES = [HDL / name for name in ("bench_tiles.cpp", "strobes.h")]
"""Beside those of the bench and of the tiles."""


def build_apart(kind: str, chip: Chip, make: Callable[[], wiring.Component], top: str) -> Path:
    """Folder of the bench of a component around the tiles of a chip, from the cache or built now.

    Macros are ideal, and programming is not enabled. Interrupts of tiles and their power switches end in front of their
    models, which have channels alone.

    Parameters
    ----------
    kind
        What it is called in the cache.
    make
        Makes what is simulated.
    top
        Name of its module.
    """
    def build(folder: Path) -> None:
        modules = chip_modules(chip, make(), top, low=False)
        models = TileModels(ChipParts.from_chip(chip))
        inside = {"tile.v": "\n".join(modules.values()), "macro.v": ideal_macro(chip, low=False)}
        build_bench(folder, models.around(modules), top, [*models.build(folder, inside), *_SOURCES])

    described = json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True)
    key = [described, hardware_hash(), hash_files([Path(__file__)]), models_key(), *bench_key(top, _SOURCES)]
    return cached_build(kind, key, build)


_TOP = "mho_chip_bench"
_MOST = 32  # accesses of one request


class ChipBus(Protocol):
    """What gets at the words of a chip."""

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        """Errors and words of accesses, in their order."""
        ...


def chip_text(chip: Description, component: wiring.Component, name: str) -> str:
    """Verilog of a component around the tiles of ``chip``, with ideal macros."""
    low = chip.verilog.reset == "async_low"
    return "\n".join([*chip_modules(chip, component, name, low=low).values(), ideal_macro(chip, low=low)])


def chip_modules(chip: Description, component: wiring.Component, name: str, *, low: bool) -> dict[str, str]:
    """Verilog of the modules of a component around the tiles of ``chip``; ``low``: with an asynchronous reset."""
    return emit(
        component, name=name, prefix="mho_", reset_low=low, configs=configurations(chip),
        clock_gates=chip.verilog.clock_gate == "module", one_port=chip.memory.one_port,
    )


def ideal_macro(chip: Description, *, low: bool) -> str:
    """Verilog of an ideal macro and of its adapter."""
    pins = ChipParts.from_chip(chip).core.pins
    adapter = write_adapter(
        None, pins, macro_map(chip, own=False), name="mho_macro_adapter", reset="rst_n" if low else "rst"
    )
    return "\n".join([adapter, macro_texts_of(chip).model(pins.module, chip)])


def build_chip_bench(chip: Description, wrap: str = "none", *, short: bool = False) -> Path:
    """Folder of the simulator of a chip behind its register bus, from the cache or built now.

    Parameters
    ----------
    wrap
        A bus with its master in between: ``axil`` or ``wishbone``.
    short
        Built in half of the time, for what runs so shortly that speed does not matter.
    """
    key = [json.dumps(chip.hardware("core", "noc", "tile").to_dict(), sort_keys=True), hardware_hash()]
    if wrap != "none":
        key += [wrap, hash_files([Path(bus_masters.__file__)])]

    def text() -> str:
        parts = ChipParts.from_chip(chip)
        return chip_text(chip, TiledChip(parts) if wrap == "none" else bus_masters.MasteredChip(parts, wrap), _TOP)

    return cached_bench("chip", key, text, top=_TOP, fast=UNOPTIMISED if short else FAST)


class ChipSimulation(SimulatedBus):
    """A running simulation of a chip, as a :class:`ChipBus`.

    Raises ToolError from all methods, if a tool is missing or fails, or the simulation ended.

    Parameters
    ----------
    wrap, short
        As of :func:`build_chip_bench`.
    """

    def __init__(self, chip: Description, wrap: str = "none", *, short: bool = False) -> None:
        width = ChipParts.from_chip(chip).address_map.address_width
        super().__init__(build_chip_bench(chip, wrap, short=short), width, "chip", {"programming_enable": 1})

    def answer(self, accesses: Sequence[Expected]) -> list[tuple[bool, int]]:
        """Errors and words of accesses, in their order: those that succeed several at a time."""
        answers: list[tuple[bool, int]] = []
        while len(answers) < len(accesses):
            several = accesses[len(answers) : len(answers) + _MOST]
            tasks = (Read(a.address) if a.data is None else Write(a.address, a.data, strobe=a.strobe) for a in several)
            status, done, read = self.request(b"".join(piece.data for t in tasks for piece in t.pieces(lambda: 1)))
            words = iter(read.tolist())
            answers += [(False, next(words) if access.data is None else 0) for access in several[:done]]
            if status == Status.BUS_ERROR:
                answers.append((True, 0))
            elif status != Status.OK:
                at = several[done].address
                raise ToolError(f"the simulated chip failed: {Status(status).name.lower()} at {at:#x}")
        return answers
