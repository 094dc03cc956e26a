"""The first test of a generated design, which its user owns from then on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mho.hw.chip.map import ChipParts
from mho.hw.config import Chip
from mho.hw.core.layout import OpLayout, pack
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds import core_blocks, timing
from mho.hw.noc.flit import Destinations
from mho.hw.noc.registers.map import write_flow, write_members, write_slot
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.asm import assemble
from mho.hw.tile.host_map import START, program_writes
from mho.hw.tile.rtl.host import CONTROL
from mho.macro_models.integer.operation import MvmOperation
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.body import python_body
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.templates import fill, template

FALL = """\
    # A simulator of two values sees no edge at power-on, which flip-flops behind closed clock gates wait for.
    dut.rst_n.value = 1
    await Timer(1, "ns")
"""
"""Before an asynchronous reset begins."""


def _host(design: Design, wrap: str) -> str:
    if wrap == "none":
        blocks = core_blocks(design.chip)
        return fill(template("bench_streams.py"), {
            "TRIM": blocks.trim, "UNUSED": list(blocks.idle), "STEP_AT": OpLayout()["step_code"].offset,
        })
    map = core_blocks(design.chip).registers
    values = {entry.name.upper(): f"{entry.address:#05x}" for entry in map.entries}
    text = template(f"bench_{wrap}.py") + template("bench_registers.py")
    if _programs(design, wrap):
        text += template("bench_write.py")
        lines, source_lines = WriteVerifyConfig.from_chip(design.chip).shape
        values["SOURCE_LINES"] = "LINES" if lines == source_lines else f"{source_lines}"
    return fill(text, values)


def _programs(design: Design, wrap: str) -> bool:
    """Whether the bench programs cells: through registers, where the core has an engine for it."""
    return wrap != "none" and core_blocks(design.chip).pins.verify_bits is not None


_CYCLES = 50_000
"""Cycles that a product of the bench may take, where fewer bits help: Icarus simulates some thousands a second."""


def _operation(chip: Chip) -> MvmOperation:
    """The product that the bench asks for: 4 bits in and 8 out, or fewer where analog operations take very long."""
    operation = macro_texts_of(chip).operation
    chosen = operation(chip, 4, 8)
    for in_bits, out_bits in ((4, 8), (4, 6), (4, 4), (4, 3), (3, 3), (2, 3)):
        chosen = operation(chip, in_bits, out_bits)
        if timing(chip).worst_cycles(chosen) <= _CYCLES:
            break
    return chosen


def _longest(chip: Chip) -> int:
    """Cycles of the longest product that the bench asks for, or of two hundred reads and set-ups of cells."""
    product = timing(chip).worst_cycles(_operation(chip))
    if core_blocks(chip).pins.verify_bits is None:
        return product
    write = WriteVerifyConfig.from_chip(chip)
    return max(product, 200 * (write.verify_cycles + write.setup_cycles))


def _bench(design: Design, wrap: str, *, ideal: bool) -> str:
    low, lines = design.reset_low, design.chip.lines
    longest, op = _longest(design.chip), _operation(design.chip)
    texts = macro_texts_of(design.chip)
    values: dict[str, object] = {
        "PRODUCTS": texts.products_text(design.chip), **texts.values(design.chip),
        "HOST": _host(design, wrap), "TOP": design.top, "LINES": lines, "PERIOD": 10,
        "INPUTS": texts.inputs(design.chip), "OUTPUTS": core_blocks(design.chip).cfg.outputs, "IDEAL": ideal,
        "RESET": "rst_n" if low else "rst", "ACTIVE": int(not low), "IDLE": int(low), "FALL": FALL if low else "",
        "STEP_CODE": texts.step_code(design.chip), "IN_BITS": op.in_bits, "OUT_BITS": op.out_bits,
        "OPERATION": f"{pack(replace(op, step_code=1)) & ~(1 << OpLayout()['step_code'].offset):#x}",
        # A few operations and some reads of cells, at 10 ns a cycle.
        "LONGEST": longest, "TIMEOUT": 20000 + longest // 10,
    }
    written = template(f"{texts.written}.py") if texts.written and _programs(design, wrap) else ""
    return fill(template(f"{texts.bench}.py") + written, values)


def bench_files(design: Design, wrap: str, models: tuple[str, ...]) -> dict[str, str]:
    """Texts of the folder ``tb`` by file name.

    ``models`` are the sources of the user's own macro, relative to the folder; without any, an ideal macro is written.
    """
    texts, used = model_texts(design, models)
    bench = _bench(design, wrap, ideal=design.chip.macro is None)
    return texts | {f"bench_{design.top}.py": bench} | runner_files(design, used)


def model_texts(design: Design, models: tuple[str, ...]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Ideal macro and body for Python by their files, unless the macro is the user's own; the models that are taken."""
    if design.chip.macro is not None:
        return {}, models
    name = f"{design.macro}.v"
    texts = {name: macro_texts_of(design.chip).model(design.macro, design.chip)}
    return texts | {f"{design.macro}_python.v": python_body(design.chip, design.macro)}, (name,)


def runner_files(design: Design, models: tuple[str, ...]) -> dict[str, str]:
    """What runs the bench: by pytest, by make."""
    values = {"TOP": design.top, "MODELS": list(models)}
    return {
        f"test_{design.top}.py": fill(template("bench_runner.py"), values),
        "Makefile": fill(template("bench_makefile"), values),
    }


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
        f"bench_{design.top}.py": _chip_bench(design, parts, wrap, programs.words), "program.py": program,
        **programs.texts,
        **runner_files(design, sources),
    }


def _chip_bench(design: Design, parts: ChipParts, wrap: str, words: Mapping[str, str]) -> str:
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
        # It goes through the mesh, and so do states on their way to the host.
        "RESET_CYCLES": 5 + 2 * (mesh.columns + mesh.rows),
        "PAYLOAD": mesh.payload_bits, "TAG": TAG, "DESTINATIONS": Destinations.one(0, 0).pack(mesh),
        # Loading takes some 100 cycles a word.
        "TIMEOUT": 20000 + longest // 10,
    }
    return fill(template("bench_chip.py"), values)
