"""Energy of the digital part of a chip from its switching activity, by block and by tile.

Named nets have the activity that the co-simulation saw, the nets between them what follows from it
(:mod:`.cell_power`). All tiles of a kind are one netlist, which takes the activity of each tile in turn; what is
around the tiles is another. Memories on macros take the energy of their accesses.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.area import Netlist, synthesise
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.memories.tiling import Memories, MemoryWork, Shape
from mho.sim.silicon.power.activity import Activity, Traced, find_design, read_activity, tile_name
from mho.sim.silicon.power.cell_power import Activities, PowerModel
from mho.sim.silicon.power.flat import Flat, flatten
from mho.sim.silicon.synthesis.blocks import without_comments
from mho.sim.tile_networks.build import sources_of_mesh


@dataclass(frozen=True, kw_only=True)
class Row:
    """Energy of one image in J of instances of a module in a tile, or around the tiles (None).

    ``image`` by the activity seen, ``average`` by an average one, ``still`` of clock and leakage alone; ``memory`` is
    the part of ``image`` that accesses to a macro of a memory take.
    """

    tile: str | None
    module: str
    image: float
    average: float
    still: float
    memory: float = 0.0


def sums(rows: Sequence[Row]) -> dict[str, float]:
    """The sums of some rows in pJ."""
    kinds = ("image", "average", "still", "memory")
    return {f"{key}_pJ": 1e12 * float(sum(getattr(row, key) for row in rows)) for key in kinds}


def block_sums(rows: Sequence[Row], prefix: str) -> list[dict[str, Any]]:
    """Sums over all instances of each module, most first."""
    by_module: dict[str, list[Row]] = {}
    for row in rows:
        by_module.setdefault(row.module, []).append(row)
    blocks = [{"block": module.removeprefix(prefix), **sums(powers)} for module, powers in by_module.items()]
    return sorted(blocks, key=lambda row: -row["image_pJ"])


def tile_sums(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sums of each tile, in the order of the rows of the mesh; what is around them last. Empty for a core."""
    by_tile: dict[str | None, list[Row]] = {}
    for row in rows:
        by_tile.setdefault(row.tile, []).append(row)
    if len(by_tile) == 1:
        return []
    order = sorted(by_tile, key=lambda tile: (tile is None, *reversed([int(k) for k in (tile or "0").split(",")])))
    return [{"tile": tile, **sums(by_tile[tile])} for tile in order]


WORD = "\\words["
"""How names of the words of a memory of flip-flops begin in its netlist."""


def seen_work(activity: Activity, scope: str, images: int) -> MemoryWork:
    """What the memory at ``scope`` did for one of some images."""
    writes, reads, both = activity.accesses.get(scope, (0, 0, 0))

    def changes(*ports: str) -> float:
        return sum(sum(activity.changes.get(f"{scope}.{port}", ())) for port in ports) / images

    return MemoryWork(
        cycles=activity.cycles / images, writes=writes / images, reads=reads / images, both=both / images,
        data=changes("write_data"), address=changes("write_address", "read_address"), lanes=changes("write_enable"),
    )


def average_work(shape: Shape, cycles: float, activity: float) -> MemoryWork:
    """Each port is at work in a part ``activity`` of the cycles, and each pin changes as often."""
    often = activity * cycles
    return MemoryWork(
        cycles=cycles, writes=often, reads=often, both=activity * often, data=shape.width * often,
        address=2 * max((shape.depth - 1).bit_length(), 1) * often, lanes=shape.lanes * often,
    )


def word_changes(activity: Activity, scope: str, depth: int) -> float:
    """Changes in a cycle of a bit of a memory of flip-flops: words are written equally often, half the bits change."""
    writes = max(activity.ones.get(f"{scope}.write_enable", [0]))
    return 0.5 * writes / depth / activity.cycles


AVERAGE_ACTIVITY = 0.1
"""Changes of a net in a cycle, where nothing is known of it."""

_OPEN = 0.5
"""Part of the cycles in which the gate of a clock is open, where nothing is known of it."""

_LEFT_OUT = "Macros of arrays, wires, glitches and the tree of the clock are left out."


def chip_energy(
    chip: Chip, liberty: Path, trace: Path, images: int, memories: Sequence[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """For JSON: energy of the digital part of a chip for one of ``images`` inputs, all of which are in ``trace``.

    ``image_pJ`` is with the activity of the trace, ``average_pJ`` with an average one, ``still_pJ`` what leakage and
    the clock alone take, its gates as open as in the trace, ``memory_pJ`` what accesses to macros of ``memories`` take;
    of all, of each of ``blocks`` and of each of ``tiles``. Where the trace has some tiles of a chip alone, all of these
    are of those tiles and of what is around the tiles; ``unseen_tiles`` names the others.

    Raises InputError if library, trace or memories are none of this chip.
    """
    library = Library(liberty)
    tiles = chip.tiled
    texts, prefix = (sources_of_mesh(chip), "mho_") if tiles else (module_texts(chip, "none"), chip.verilog.prefix)
    cells = Cells(liberty)
    memory_library = Memories(memories, cells) if memories else None
    netlist = synthesise(
        without_comments(texts), prefix, library, library, memories=memory_library, progress=progress,
        jobs=os.cpu_count() or 1,
    )
    activity = read_activity(trace)
    took = _Took(netlist, activity, images=images, period=1e-6 / chip.clock.f_clk_MHz)
    took.logic(cells)
    memory_sizes = took.memories(prefix)
    return {
        **sums(took.rows), "average_activity": AVERAGE_ACTIVITY, "cycles": activity.cycles / images,
        "what": _what(chip, took.traced), "blocks": block_sums(took.rows, prefix), "tiles": tile_sums(took.rows),
        "unseen_tiles": [tile_name(path) for path in took.traced.unseen],
        "left_out": _left_out(took.traced, bool(memories)),
        "clock_gates": took.gates, "named_nets": took.named,
        "named_flip_flops": float(took.states[0] / max(took.states[1], 1)),
        **({"memories": memory_sizes} if memories else {}),
    }


def _what(chip: Chip, traced: Traced) -> str:
    if not chip.tiled:
        return "the core without a bus"
    if chip.cores == 1:
        return "the tile, and what is around it, from the start of its program on"
    if not traced.unseen:
        return (f"the chip of {chip.cores} tiles, each with its own activity, and what is around them, from the start "
                "of the first program on")
    return (f"{len(traced.tiles)} of the {chip.cores} tiles of the chip, each with its own activity, and what is "
            "around the tiles, from the start of the first program of these on")


def _left_out(traced: Traced, memories: bool) -> str:
    text = _LEFT_OUT if memories else f"Memories, {_LEFT_OUT[0].lower()}{_LEFT_OUT[1:]}"
    if traced.unseen:
        text += f" So are the tiles without waves, {len(traced.unseen)}: no sum is the whole chip's."
    return text


class _Took:
    """Adds up what a chip took.

    Attributes
    ----------
    traced
        Where the trace has the chip, and which of its tiles.
    rows
        Energies of the tiles that have waves and of what is around the tiles.
    named, states
        Nets that the trace knows; flip-flops that it knows, and all.
    gates
        Cells that gate clocks.
    """

    def __init__(self, netlist: Netlist, activity: Activity, *, images: int, period: float) -> None:
        self._made, self._activity, self.traced = netlist, activity, find_design(netlist, activity)
        self._images, self._period = images, period
        self.rows: list[Row] = []
        self.named, self.states, self.gates = 0, np.zeros(2, np.int64), 0

    def logic(self, cells: Cells) -> None:
        """All that is of standard cells."""
        scope = self.traced.scope
        tops: dict[str, list[str]] = {self._made.top: [""]}
        for path, module in self.traced.tiles.items():
            tops.setdefault(module, []).append(path)
        for top, paths in tops.items():
            below = {name: text for name, text in self._made.netlists.items() if name == top or name not in tops}
            start = f"{paths[0]}/" if paths[0] else ""
            inside = {path.removeprefix(start): module for path, module in self.traced.instances.items()
                      if path.startswith(start)}
            model = PowerModel(flatten({"": top} | inside, below, cells), cells)
            modules = [module for _, module in model.flat.places]
            names = _names(model.flat)
            for path in paths:
                activities = _seen(names, model.flat.nets, self._activity, f"{scope}.{path}" if path else scope)
                self.named += int(np.count_nonzero(activities.known)) - 2
                self.states += np.array(model.states(activities))
                self.gates += len(model.gated)
                model.carry(activities)
                energies = _energies(model, activities, self._activity.cycles / self._images, self._period)
                self.rows += [
                    Row(tile=tile_name(path), module=module, image=traced_power, average=average_power, still=still)
                    for module, traced_power, average_power, still in zip(modules, *energies, strict=True)
                ]

    def memories(self, prefix: str) -> list[dict[str, Any]]:
        """All macros of memories; what each kind of memory did in an image."""
        totals: dict[str, dict[str, Any]] = {}
        cycles = self._activity.cycles / self._images
        for path, module in self.traced.instances.items():
            tiling = self._made.tilings.get(module)
            if tiling is None:
                continue
            work = seen_work(self._activity, f"{self.traced.scope}.{path.replace('/', '.')}", self._images)
            leaks = tiling.leakage * cycles * self._period
            still, took = tiling.still(cycles) + leaks, tiling.energy(work) + leaks
            average = tiling.energy(average_work(tiling.shape, cycles, AVERAGE_ACTIVITY)) + leaks
            self.rows.append(Row(
                tile=tile_name(path), module=module, image=took, average=average, still=still, memory=took - still,
            ))
            row = totals.setdefault(module, {
                "memory": module.removeprefix(prefix), "macros": tiling.named(), "two_ports": tiling.two_ports,
                "instances": 0, "writes": 0.0, "reads": 0.0, "both": 0.0, "image_pJ": 0.0,
            })
            for key, value in (("instances", 1), ("writes", work.writes), ("reads", work.reads), ("both", work.both),
                               ("image_pJ", 1e12 * took)):
                row[key] += value
        return sorted(totals.values(), key=lambda row: -row["image_pJ"])


def _names(flat: Flat) -> list[tuple[str, str, NDArray[np.int64]]]:
    """Nets with names: path of the place with dots, name, bits; all words of a memory together, by their number."""
    nets = []
    for (path, _), names in zip(flat.places, flat.names, strict=True):
        words = [bits for name, bits in names.items() if name.startswith(WORD)]
        at = path.replace("/", ".")
        nets += [(at, name, bits) for name, bits in names.items() if not name.startswith(WORD)]
        if words:
            nets.append((at, f"{WORD}{len(words)}", np.concatenate(words)))
    return nets


def _seen(
    names: list[tuple[str, str, NDArray[np.int64]]], nets: int, activity: Activity, scope: str
) -> Activities:
    """What the trace knows of the nets of a design whose top is at ``scope``."""
    activities, cycles = Activities.none(nets), activity.cycles
    for path, name, bits in names:
        at = f"{scope}.{path}" if path else scope
        full = f"{at}.{name}"
        changes = activity.changes.get(full)
        if name.startswith(WORD):
            activities.set(bits, word_changes(activity, at, int(name.removeprefix(WORD))), 0.5)
        elif changes is not None and len(changes) >= len(bits):
            # Synthesis leaves out high bits that nothing uses; what has more bits than before is encoded anew.
            ones, count = activity.ones[full], len(bits)
            activities.set(bits, np.array(changes[:count]) / cycles, np.array(ones[:count]) / cycles)
    return activities


def _energies(
    model: PowerModel, activities: Activities, cycles: float, period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """J by place: with the activity seen, with an average one, and of clock and leakage alone."""
    # A cycle ends before the edge, where a clock is 0; it is 1 for half of each of its own cycles.
    activities.duty[model.clocks] = activities.changes[model.clocks] / 4
    average = Activities.none(len(activities.duty))
    average.set(np.arange(len(activities.duty)), AVERAGE_ACTIVITY, 0.5)
    average.set(model.clocks, 2.0, 0.5)
    average.set(model.gated, 2.0 * _OPEN, 0.5 * _OPEN)
    traced_power, average_power = model.power(activities), model.power(average)
    took = cycles * period
    still = traced_power.clock * cycles + traced_power.leakage * took
    of_average = (average_power.changes + average_power.clock) * cycles + average_power.leakage * took
    return traced_power.changes * cycles + still, of_average, still
