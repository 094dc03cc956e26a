"""The first test of a generated chip: two layers on its tiles, through the host's port."""

from collections.abc import Mapping

from mho.hw.chip import ChipParts
from mho.hw.kinds import timing
from mho.hw.noc.flit import Destinations
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.parts.bench_programs import TAG, bench_programs, sizes
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.testbench import FALL, fill, model_texts, runner_files, template

__all__ = ["chip_bench_files"]


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
        host = fill(template("bench_chip_streams"), {"TAG_BITS": mesh.tag_bits})
    else:
        map = parts.address_map
        addresses = {name.upper(): f"{map.address('chip', name):#x}" for name in ("id", "send", "receive")}
        host = fill(template(f"bench_{wrap}") + template("bench_chip_registers"), addresses)
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
    return fill(template("bench_chip"), values)
