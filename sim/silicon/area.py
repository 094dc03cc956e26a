"""Area of a design by block in a library of standard cells."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.rtl_gen.emit import module_texts
from mho.sim.silicon.liberty.cell import Cells
from mho.sim.silicon.liberty.library import Library
from mho.sim.silicon.memories.tiling import Memories, Tiling
from mho.sim.silicon.synthesis.blocks import Synthesis, counted, memory_bits, without_comments


@dataclass(frozen=True, kw_only=True)
class Block:
    """A module of the design: its own cells, without those of the modules in it. Areas in um2."""

    module: str
    instances: int
    flip_flops: int
    area: float
    buffered: float


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """A design that was synthesised module by module."""

    top: str
    modules: dict[str, str]
    """Texts of all modules by name, the top's name."""
    number: dict[str, int]
    """How often each module is in the design."""
    counts: dict[str, dict[str, Any]]
    netlists: dict[str, Path]
    """Of each module that was synthesised: areas in um2 and flip-flops by ``plain`` and ``timed``; its netlist."""
    memory_bits: dict[str, int]
    """Bits of each memory wrapper, all its instances. Without macros they have no area."""
    tilings: dict[str, Tiling] = field(default_factory=dict)
    """Memories on macros."""

    def blocks(self, prefix: str) -> list[Block]:
        """Blocks, largest first; names without ``prefix``. Macros of memories are among them, where they are known."""
        rows = [
            Block(
                module=name.removeprefix(prefix), instances=self.number[name],
                flip_flops=int(counts["plain"]["flip_flops"]) * self.number[name],
                area=counts["plain"]["area"] * self.number[name], buffered=counts["timed"]["area"] * self.number[name],
            )
            for name, counts in self.counts.items()
        ] + [
            Block(
                module=name.removeprefix(prefix), instances=self.number[name], flip_flops=0,
                area=tiling.area * self.number[name], buffered=tiling.area * self.number[name],
            )
            for name, tiling in self.tilings.items()
        ]
        return sorted(rows, key=lambda row: -row.area)


def synthesise(
    modules: dict[str, str], prefix: str, timed: Library, plain: Library, *, memories: Memories | None = None,
    jobs: int = 1, progress: Callable[[int, int], None] | None = None,
) -> Netlist:
    """Synthesise all modules, which the cache keeps; of memories those that are smaller as flip-flops than as macros.

    Without ``memories`` none of them is.
    """
    top = next(iter(modules))
    number = counted(modules, top)
    bits = memory_bits(modules, number, prefix)
    tilings = {} if memories is None else {name: memories.tiling(name, prefix) for name in bits}
    tried = [name for name, tiling in tilings.items() if memories is not None and memories.may_be_flip_flops(tiling)]
    synthesis = Synthesis(modules, timed, plain)
    names = [name for name in number if name not in bits or name in tried]
    done = {}
    with ThreadPoolExecutor(jobs) as pool:
        for name, area in zip(names, pool.map(synthesis.block, names), strict=True):
            done[name] = area
            if progress is not None:
                progress(len(done), len(names))
    macros = {name: tiling for name, tiling in tilings.items()
              if tiling is not None and (name not in done or tiling.area < done[name][0]["timed"]["area"])}
    measured = {name: area for name, area in done.items() if name not in macros}
    return Netlist(
        top=top, modules=modules, number=number, counts={name: counts for name, (counts, _) in measured.items()},
        netlists={name: path for name, (_, path) in measured.items()}, memory_bits=bits, tilings=macros,
    )


def chip_area(
    chip: Chip, liberty: Path, memories: Sequence[Path] = (), *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """For JSON: area of a core behind Wishbone, of one of tiles that are alike, or of all tiles of several kinds.

    Memories are on macros of ``memories`` or flip-flops, without any they are counted in bits. The macro is left out.

    Raises InputError if the library is none, or a file of a memory.
    """
    part, what = _part(chip)
    wrap, top = ("wishbone", None) if part == "core" else ("none", "top")
    texts = module_texts(chip, wrap, part=part, top=top)
    library = Library(liberty)
    netlist = synthesise(
        without_comments(texts), chip.verilog.prefix, library, library, progress=progress,
        memories=Memories(memories, Cells(liberty)) if memories else None, jobs=os.cpu_count() or 1,
    )
    prefix = chip.verilog.prefix
    rows = netlist.blocks(prefix)
    return {
        "library": library.name, "what": what,
        "tiles": chip.cores, "blocks": [asdict(row) for row in rows], "area_mm2": sum(row.area for row in rows) / 1e6,
        "buffered_mm2": sum(row.buffered for row in rows) / 1e6, "flip_flops": sum(row.flip_flops for row in rows),
        "memory_bits": netlist.memory_bits, **(_memories(netlist, prefix) if memories else {}),
    }


def _part(chip: Chip) -> tuple[str, str]:
    """What of a chip is synthesised, and that in words."""
    if not chip.tiled:
        return "core", "the core behind Wishbone"
    kinds = len(set(TileConfig.of_tiles(chip).values()))
    if kinds == 1:
        return "tile", "one tile, of which all are alike" if chip.cores > 1 else "the tile"
    return "chip", f"all {chip.cores} tiles, of {kinds} kinds, and what is around them"


def _memories(netlist: Netlist, prefix: str) -> dict[str, Any]:
    """Each memory: how often it is there, what it is made of, and the area of all its instances; and of all."""
    areas = {row.module: row.buffered for row in netlist.blocks(prefix)}
    rows = [
        {
            "memory": name.removeprefix(prefix), "instances": netlist.number[name],
            "made_of": netlist.tilings[name].named() if name in netlist.tilings else "flip-flops",
            "area": areas[name.removeprefix(prefix)],
        }
        for name in netlist.memory_bits
    ]
    rows.sort(key=lambda row: -row["area"])
    macros = sorted({macro.name for tiling in netlist.tilings.values() for macro in tiling.macros})
    return {"memories": rows, "memory_mm2": sum(row["area"] for row in rows) / 1e6, "macros": macros}
