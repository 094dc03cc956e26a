"""The first test of a generated chip: two layers on two tiles, or on the one that there is, through the host's port."""

from collections.abc import Mapping
from dataclasses import dataclass

from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.hw.kinds import timing
from mho.hw.noc.flit import Destinations
from mho.hw.noc.registers.map import write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.asm import assemble
from mho.hw.tile.host_map import START, program_writes
from mho.hw.tile.rtl.host import CONTROL
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.testbench import FALL, model_texts, runner_files

TAG = 3
"""Of the results."""

_MOST_OUTPUTS = 16
"""So that a result has its place in the queue of the host."""


_TWO_TILES = {
    "STORY": "The host loads the programs first.s and second.s into two tiles (as the writes of program.py), sends "
    "vectors to the first\none and takes what the second one makes of them: two layers, one on each tile.",
    "TEST": "two_layers_on_two_tiles",
}
_ONE_TILE = {
    "STORY": "The host loads the program both.s into the tile (as the writes of program.py), sends vectors to it and "
    "takes what it makes\nof them: two layers, the second one on what the first one has made.",
    "TEST": "two_layers_on_one_tile",
}


@dataclass(frozen=True, kw_only=True)
class BenchPrograms:
    """What a bench loads."""

    texts: Mapping[str, str]
    """Programs as text, by the names of their files."""
    writes: list[tuple[int, int]]
    """Byte addresses and words by which a host sets up the network, loads all programs and starts them."""
    words: Mapping[str, str]
    """What the bench says of them, for its template."""


def sizes(chip: Chip) -> dict[str, object]:
    """Sizes of both layers on the cores of a chip."""
    texts = macro_texts_of(chip)
    inputs, between, op = texts.inputs(chip), texts.between(chip), texts.operation(chip, 4, 8)
    outputs = min(between, _MOST_OUTPUTS)
    # Codes of 4 bits again.
    shift = max(op.out_bits - 3, 0)
    return {
        "INPUTS": inputs, "BETWEEN": between, "OUTPUTS": outputs, "BYTES": 2 * outputs, "LAST_IN": inputs // 4 - 1,
        "LAST_BETWEEN": between // 2 - 1, "LAST_NEXT": between // 4 - 1, "LAST_OUT": outputs // 2 - 1,
        "STEP_CODE": texts.step_code(chip), "IN_BITS": op.in_bits, "OUT_BITS": op.out_bits, "SHIFT": shift,
        "HALF": 1 << shift >> 1,
    }


def bench_programs(chip: Chip, parts: ChipParts) -> BenchPrograms:
    """The programs for a chip: a layer on its first and on its last tile, or both on the only one."""
    alone, mesh = parts.mesh.alone, parts.mesh
    named = ("both.s",) if alone else ("first.s", "second.s")
    programs = {name: fill(template(name), sizes(chip)) for name in named}
    nodes = (0,) if alone else (0, mesh.nodes - 1)
    writes = _joined(parts)
    for node, text in zip(nodes, programs.values(), strict=True):
        writes += [(node, address, word) for address, word in program_writes(assemble(text), parts.tiles[node])]
    writes += [(node, CONTROL, START) for node in reversed(nodes)]
    return BenchPrograms(
        texts=programs, writes=[(host_address(mesh, node, address), word) for node, address, word in writes],
        words=_ONE_TILE if alone else _TWO_TILES,
    )


def _joined(parts: ChipParts) -> list[tuple[int, int, int]]:
    """Writes to nodes: from the host to the first tile, on to the last one if that is another, and to the host."""
    mesh, last = parts.mesh, parts.mesh.nodes - 1
    entry, result = (0, *write_slot(mesh, 0, None, 0)), (last, *write_flow(mesh, 0, None, TAG))
    if mesh.alone:
        return [entry, result]
    return [
        entry, (0, *write_flow(mesh, 0, Destinations.one(*mesh.position(last)), 0)),
        (last, *write_slot(mesh, 0, 0, 0)), result,
        # The first tile's blocks have one taker, which gives credits; the host takes all that comes.
        (0, *write_members(mesh, 0, 1)),
    ]


def chip_bench_files(design: Design, parts: ChipParts, wrap: str, models: tuple[str, ...]) -> dict[str, str]:
    """Texts of the folder ``tb`` by file name; ``models`` as at :func:`mho.rtl_gen.testbench.bench_files`."""
    texts, sources = model_texts(design, models)
    programs = bench_programs(design.chip, parts)
    writes = "".join(f"    ({address:#09x}, {word:#010x}),\n" for address, word in programs.writes)
    program = f'"""What the host writes before the start: byte addresses and words."""\n\nWRITES = [\n{writes}]\n'
    return texts | {
        f"bench_{design.top}.py": _bench(design, parts, wrap, programs.words), "program.py": program, **programs.texts,
        **runner_files(design, sources),
    }


def _bench(design: Design, parts: ChipParts, wrap: str, words: Mapping[str, str]) -> str:
    mesh, lines, low = parts.mesh, parts.core.cfg.lines, design.reset_low
    if wrap == "none":
        host = fill(template("bench_chip_streams.py"), {"TAG_BITS": mesh.tag_bits})
    else:
        map = parts.address_map
        addresses = {name.upper(): f"{map.address('chip', name):#x}" for name in ("id", "send", "receive")}
        host = fill(template(f"bench_{wrap}.py") + template("bench_chip_registers.py"), addresses)
    longest = timing(design.chip).worst_cycles(macro_texts_of(design.chip).operation(design.chip, 4, 8))
    products = {"PRODUCTS": macro_texts_of(design.chip).products_text(design.chip)}
    values: dict[str, object] = {**words} | products | sizes(design.chip) | {
        "HOST": host, "TOP": design.top, "LINES": lines, "PERIOD": 10, "IDEAL": design.chip.macro is None,
        "RESET": "rst_n" if low else "rst", "ACTIVE": int(not low), "IDLE": int(low),
        "FALL": FALL if low else "",
        "PAYLOAD": mesh.payload_bits, "TAG": TAG, "DESTINATIONS": Destinations.one(0, 0).pack(mesh),
        # Loading takes some 100 cycles a word.
        "TIMEOUT": 20000 + longest // 10,
    }
    return fill(template("bench_chip.py"), values)
