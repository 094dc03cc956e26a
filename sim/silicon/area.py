"""Area of a design by block in a library of standard cells."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hw.config import Chip
from rtl_gen.emit import module_texts
from sim.build.toolchain import cache_folder
from sim.silicon.library import Library
from sim.silicon.modules import counted, memory_bits, without_comments
from sim.silicon.synthesis import Synthesis

__all__ = ["Block", "Netlist", "chip_area", "synthesise"]


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
    """A design that was synthesised module by module.

    Attributes
    ----------
    top, modules
        Texts of all modules by name, the top's name.
    number
        How often each module is in the design.
    counts, netlists
        Of each module that was synthesised: areas in um2 and flip-flops by ``plain`` and ``timed``; its netlist.
    memory_bits
        Bits of each memory wrapper, all its instances, which have no area here.
    """

    top: str
    modules: dict[str, str]
    number: dict[str, int]
    counts: dict[str, dict[str, Any]]
    netlists: dict[str, Path]
    memory_bits: dict[str, int]

    def blocks(self, prefix: str) -> list[Block]:
        """Blocks, largest first; names without ``prefix``."""
        rows = [
            Block(
                module=name.removeprefix(prefix), instances=self.number[name],
                flip_flops=int(counts["plain"]["flip_flops"]) * self.number[name],
                area=counts["plain"]["area"] * self.number[name], buffered=counts["timed"]["area"] * self.number[name],
            )
            for name, counts in self.counts.items()
        ]
        return sorted(rows, key=lambda row: -row.area)


def synthesise(
    modules: dict[str, str], prefix: str, timed: Library, plain: Library, folder: Path, *, stubs: str = "",
    jobs: int = 1, progress: Callable[[int, int], None] | None = None,
) -> Netlist:
    """Synthesise all modules but memories, which ``folder`` keeps."""
    top = next(iter(modules))
    number = counted(modules, top)
    memories = memory_bits(modules, number, prefix)
    synthesis = Synthesis(modules, timed, plain, folder, stubs)
    names = [name for name in number if name not in memories]
    done = {}
    with ThreadPoolExecutor(jobs) as pool:
        for name, found in zip(names, pool.map(synthesis.block, names), strict=True):
            done[name] = found
            if progress is not None:
                progress(len(done), len(names))
    return Netlist(
        top=top, modules=modules, number=number, counts={name: counts for name, (counts, _) in done.items()},
        netlists={name: path for name, (_, path) in done.items()}, memory_bits=memories,
    )


def chip_area(
    chip: Chip, liberty: Path, *, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """For JSON: area of what is generated for a chip, one of its tiles, or its core behind Wishbone.

    Memories are counted in bits, and the macro is left out.

    Raises
    ------
    InputError
        If the library is none.
    ToolError
        If Yosys is missing or fails.
    """
    folder = cache_folder() / "silicon"
    folder.mkdir(parents=True, exist_ok=True)
    tile = chip.cores > 1
    texts = module_texts(chip, "none" if tile else "wishbone", part="tile" if tile else "core",
                         top="top" if tile else None)
    library = Library(liberty, folder)
    netlist = synthesise(
        without_comments(texts), chip.verilog.prefix, library, library, folder, progress=progress
    )
    rows = netlist.blocks(chip.verilog.prefix)
    return {
        "library": library.name, "what": "one tile, of which all are alike" if tile else "the core behind Wishbone",
        "tiles": chip.cores, "blocks": [asdict(row) for row in rows], "area_mm2": sum(row.area for row in rows) / 1e6,
        "buffered_mm2": sum(row.buffered for row in rows) / 1e6, "flip_flops": sum(row.flip_flops for row in rows),
        "memory_bits": netlist.memory_bits,
    }
