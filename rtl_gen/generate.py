"""Everything that ``mho generate`` writes, into a folder that is there as a whole or not at all."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mho.hw.config import Chip
from mho.macro_models.errors import InputError
from mho.rtl_gen.folder import MARK, REPORT, GeneratedFile, SharedFolder
from mho.rtl_gen.macro.pin_check import check_macro_pins
from mho.rtl_gen.parts import default_part, part_texts, part_top, part_wrap, which_tile
from mho.rtl_gen.verilog.names import identifier


@dataclass(frozen=True)
class Statistics:
    """Of the digital part, all instances counted: modules, bits of flip-flops, bits of memories."""

    modules: int
    flip_flops: int
    memory_bits: int


def count(texts: Mapping[str, str], top: str) -> Statistics:
    """Count in the texts of the modules (as this package writes them) from ``top`` on.

    A memory's output register counts as part of the memory.
    """
    heads = ((re.search(r"^module (\w+) \(", text, re.MULTILINE), text) for text in texts.values())
    modules = {head[1]: text for head, text in heads if head is not None}
    flops: dict[str, int] = {}
    bits: dict[str, int] = {}

    def visit(name: str) -> tuple[int, int]:
        if name not in flops:
            own_flops, own_bits = _own(modules[name])
            for inner in re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \($", modules[name], re.MULTILINE):
                if inner in modules:
                    more_flops, more_bits = visit(inner)
                    own_flops, own_bits = own_flops + more_flops, own_bits + more_bits
            flops[name], bits[name] = own_flops, own_bits
        return flops[name], bits[name]

    total_flops, total_bits = visit(top)
    return Statistics(len(modules), total_flops, total_bits)


def _own(text: str) -> tuple[int, int]:
    """Bits of flip-flops and of memory of one module."""
    memory = re.search(r"^  reg (?:\[(\d+):0\] )?words \[0:(\d+)\];", text, re.MULTILINE)
    if memory is not None:
        return 0, (int(memory[1] or 0) + 1) * (int(memory[2]) + 1)
    widths = {name: int(high or 0) + 1 for high, name in re.findall(r"\breg +(?:\[(\d+):0\] )?(\w+)[;,\n]", text)}
    clocked = set(re.findall(r"(?:^|: ) *(\w+)(?:\[[^\]\n]*\])? <= ", text, re.MULTILINE))
    return sum(size for name, size in widths.items() if name in clocked), 0


_LONGEST_NAME = 100
"""Characters of a module's name, which files are called after."""

_MOST_TILE_LINES = 256
"""Rows of a core whose input codes of 4 bits are in the words that a descriptor of a tile can name."""


@dataclass(frozen=True, kw_only=True)
class BoundMemories:
    """Verilog whose memories are on macros."""

    texts: dict[str, str]
    """All texts, those of wrappers with macros in them, by the names that they had."""
    stubs: dict[str, str] = field(default_factory=dict)
    """Black boxes of the macros, by their names."""
    rows: list[dict[str, object]] = field(default_factory=list)
    """For JSON: each wrapper, its macros, and their instances in it."""


Binding = Callable[[Mapping[str, str]], BoundMemories]
"""Of texts by path: the same with memories on macros."""


@dataclass(frozen=True, kw_only=True)
class GenerationReport:
    """What was generated; ``report.json`` holds the same."""

    directory: Path
    """The folder."""
    top: str
    part: str
    wrap: str
    """Name of the top module, what part of the chip it is, and the bus around it."""
    statistics: Statistics
    """Flip-flops and memory bits of the digital part."""
    files: tuple[GeneratedFile, ...]
    """Every file but the report, sorted by path."""
    kept: tuple[str, ...] = ()
    """What was in the folder and is its user's: files of other names, and first versions that were changed."""
    replaced: tuple[tuple[str, str], ...] = ()
    """Files of ours that had been changed by hand, and where their text is now."""


def generate(
    chip: Chip, output_dir: Path | str, *, part: str | None = None, wrap: str | None = None, top: str | None = None,
    prefix: str | None = None, tile: str | None = None, bind: "Binding | None" = None,
) -> GenerationReport:
    """Write Verilog, black boxes, registers and the files that a tape-out flow wants.

    Raises InputError if an option is wrong, the chip has no such part, the macro's pins do not fit, or the folder is
    somebody else's, has a file of its user where one of ours belongs, or cannot be written.

    Parameters
    ----------
    output_dir
        Made if it is missing. One that an earlier run wrote is written anew: files of ours are renewed or removed,
        those of its user stay as they are (see :mod:`mho.rtl_gen.folder`).
    part
        ``core``: the core of a chip that has one (the default there); of one that has several ``chip``: all of it (the
        default there), ``tile``: one of its tiles, ``noc``: its network on chip.
    wrap
        Bus around the core or the chip: ``none``, ``wishbone`` (the default), ``axil``, or ``uart``, a serial line; the
        others have none.
    top
        Name of the top module (default: the prefix and ``core`` or ``chip`` with ``_wb``, ``_axil`` or ``_uart``,
        ``core_tile``, ``noc``).
    prefix
        Put before the name of every other module (default: the chip's).
    tile
        Which tile is the part ``tile``, ``"column,row"`` (default: ``"0,0"``), of a chip with several kinds of them.
    bind
        Puts the memories in the texts of ``rtl`` on macros.
    """
    prefix = chip.verilog.prefix if prefix is None else prefix
    part = part or default_part(chip)
    wrap = part_wrap(part, wrap)
    if tile is not None and part != "tile":
        raise InputError(f"tile must be with part tile, not with {part}")
    number, word = (0, "") if tile is None else which_tile(chip, tile)
    name = _check_names(part_top(part, wrap, word), top, prefix)
    if part != "noc" and (problems := check_macro_pins(chip)):
        more = f" (and {len(problems) - 1} more: mho check lists them)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}")
    if part in ("chip", "tile") and chip.lines > _MOST_TILE_LINES:
        raise InputError(
            f"{chip.name}: core.rows must be at most {_MOST_TILE_LINES} in a tile, whose descriptors name no more, not "
            f"{chip.lines}; one core by itself: --set mesh.columns=1 --set mesh.rows=1"
        )
    output = Path(output_dir)
    folder = SharedFolder(output)
    texts = part_texts(part, chip, output, wrap, name, prefix, number)
    ours = {path: text for path, text in texts.items() if path.startswith("rtl/") and path.count("/") == 1}
    statistics, bound = count(ours, name), BoundMemories(texts={})
    if bind is not None:
        bound = bind(ours)
        texts |= bound.texts | {f"stubs/{macro}.v": text for macro, text in bound.stubs.items()}
    files = folder.entries(texts)
    content = {
        "written_by": MARK,
        "chip": {"name": chip.name, "sha256": chip.sha256, "lines": chip.lines},
        "options": {"part": part, "wrap": wrap, "top": top, "prefix": prefix, **({"tile": tile} if tile else {})},
        "top": name,
        "versions": {package: _version(package) for package in ("mho", "amaranth")},
        "statistics": asdict(statistics),
        **({"memories": bound.rows} if bound.rows else {}),
        "files": [asdict(file) for file in files],
    }
    users, replaced = folder.write(texts | {REPORT: json.dumps(content, indent=2) + "\n"})
    return GenerationReport(
        directory=output, top=name, part=part, wrap=wrap, statistics=statistics, files=files, kept=users,
        replaced=replaced,
    )


def _check_names(path: str, top: str | None, prefix: str) -> str:
    default = f"{prefix}{path}"
    if not re.fullmatch(r"([A-Za-z]\w*)?", prefix, re.ASCII) or "__" in prefix:
        raise InputError(f"prefix must be a Verilog identifier without double underscores, not {prefix!r}")
    name = default if top is None else top
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or identifier(name) != name:
        raise InputError(f"top must be a Verilog identifier, no keyword and without double underscores, not {name!r}")
    for option, value in (("prefix", prefix), ("top", name)):
        if len(value) > _LONGEST_NAME:
            raise InputError(f"{option} must have at most {_LONGEST_NAME} characters, not {len(value)}")
    return name


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
