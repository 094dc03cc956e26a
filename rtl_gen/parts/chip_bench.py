"""The first test of a generated chip: two layers on two tiles, through the host's port."""

from hw.chip import ChipParts
from hw.kinds import timing
from hw.noc.flit import Destinations
from hw.noc.registers.packet import host_address
from hw.noc.registers.setup import write_flow, write_members, write_slot
from hw.tile.host import CONTROL
from hw.tile.loading import START, program_writes
from hw.tile.text import assemble
from macro_models.exact.operation import MvmOperation
from rtl_gen.kinds import MacroTexts, macro_texts_of
from rtl_gen.tapeout_files import Design
from rtl_gen.testbench import FALL, fill, model_texts, runner_files, template

__all__ = ["chip_bench_files", "chip_programs", "chip_writes"]

_TAG = 3
"""Of the results."""

_MOST_OUTPUTS = 16
"""So that a result has its place in the queue of the host."""

_FIRST = """\
; The first of two layers, on the tile at which vectors arrive: codes come from the host and go on to the second tile.

stream in:  block @INPUTS@, blocks 2, remote, slot 0
stream out: block @INPUTS@, blocks 2

walk whole: stream in

mvm layer: i_last @LAST_IN@, o_last @LAST_BETWEEN@, in_bits 4, in_signed, out_bits 8, step_code @STEP_CODE@

parameters plain { 8 * m 1 }

; A code of 4 bits again: a 32nd, rounded, between -7 and 7.
vec squeeze: a drain, target out, elements @INPUTS@, parameters plain, period 8, shift 5, lo -7, hi 7

loop forever {
    mvm layer, whole, advance, free
    vec squeeze, push
    send out, flow 0, free
    image
}
"""
_SECOND = """\
; The second layer: its codes are what the host gets, as lanes of 16 bits.

stream in:  block @INPUTS@, blocks 2, remote, slot 0
stream out: block @BYTES@, blocks 2

walk whole: stream in

mvm layer: i_last @LAST_IN@, o_last @LAST_OUT@, in_bits 4, in_signed, out_bits 8, step_code @STEP_CODE@

parameters plain { 8 * m 1 }

vec give: a drain, target out, wide, elements @OUTPUTS@, parameters plain, period 8

loop forever {
    mvm layer, whole, advance, free
    vec give, push
    send out, flow 0, free
    image
}
"""


def _sizes(texts: MacroTexts, lines: int) -> dict[str, object]:
    inputs = texts.inputs(lines)
    outputs = min(inputs, _MOST_OUTPUTS)
    return {
        "INPUTS": inputs, "OUTPUTS": outputs, "BYTES": 2 * outputs, "LAST_IN": inputs // 4 - 1,
        "LAST_BETWEEN": inputs // 2 - 1, "LAST_OUT": outputs // 2 - 1, "STEP_CODE": texts.step_code(lines),
    }


def chip_programs(texts: MacroTexts, lines: int) -> tuple[str, str]:
    """Programs of both tiles, as text, for cores of so many lines."""
    return fill(_FIRST, _sizes(texts, lines)), fill(_SECOND, _sizes(texts, lines))


def chip_writes(texts: MacroTexts, parts: ChipParts) -> list[tuple[int, int]]:
    """Byte addresses and words by which a host sets up the network, loads both programs and starts them."""
    mesh, last = parts.mesh, parts.mesh.nodes - 1
    column, row = mesh.position(last)
    writes = [
        (0, *write_slot(mesh, 0, None, 0)), (0, *write_flow(mesh, 0, Destinations.one(column, row), 0)),
        (last, *write_slot(mesh, 0, 0, 0)), (last, *write_flow(mesh, 0, None, _TAG)),
    ]
    # The first tile's blocks have one taker, which gives credits; the host takes all that comes.
    writes.append((0, *write_members(mesh, 0, 1)))
    for node, text in zip((0, last), chip_programs(texts, parts.core.cfg.lines), strict=True):
        writes += [(node, address, word) for address, word in program_writes(assemble(text), parts.tiles[node])]
    writes += [(last, CONTROL, START), (0, CONTROL, START)]
    return [(host_address(mesh, node, address), word) for node, address, word in writes]


def chip_bench_files(design: Design, parts: ChipParts, wrap: str, models: tuple[str, ...]) -> dict[str, str]:
    """Texts of the folder ``tb`` by file name; ``models`` as at :func:`rtl_gen.testbench.bench_files`."""
    texts, own = model_texts(design, models)
    kind = macro_texts_of(design.chip)
    first, second = chip_programs(kind, parts.core.cfg.lines)
    writes = "".join(f"    ({address:#09x}, {word:#010x}),\n" for address, word in chip_writes(kind, parts))
    program = f'"""What the host writes before the start: byte addresses and words."""\n\nWRITES = [\n{writes}]\n'
    return texts | {
        f"bench_{design.top}.py": _bench(design, parts, wrap), "program.py": program, "first.s": first,
        "second.s": second, **runner_files(design, own),
    }


def _bench(design: Design, parts: ChipParts, wrap: str) -> str:
    mesh, lines, low = parts.mesh, parts.core.cfg.lines, design.reset_low
    if wrap == "none":
        host = fill(template("bench_chip_streams"), {"TAG_BITS": mesh.tag_bits})
    else:
        map = parts.address_map
        addresses = {name.upper(): f"{map.address('chip', name):#x}" for name in ("id", "send", "receive")}
        host = fill(template(f"bench_{wrap}") + template("bench_chip_registers"), addresses)
    longest = timing(design.chip).worst_cycles(MvmOperation(in_bits=4, out_bits=8))
    kind = macro_texts_of(design.chip)
    products = {"PRODUCTS": template(kind.products).rstrip("\n")}
    values: dict[str, object] = products | _sizes(kind, lines) | dict(kind.values(design.chip)) | {
        "HOST": host, "TOP": design.top, "LINES": lines, "PERIOD": 10, "IDEAL": design.chip.macro is None,
        "RESET": "rst_n" if low else "rst", "ACTIVE": int(not low), "IDLE": int(low),
        "FALL": FALL if low else "",
        "PAYLOAD": mesh.payload_bits, "TAG": _TAG, "DESTINATIONS": Destinations.one(0, 0).pack(mesh),
        # Loading takes some 100 cycles a word.
        "TIMEOUT": 20000 + longest // 10,
    }
    return fill(template("bench_chip"), values)
