"""The first test of a generated design, which its user owns from then on."""


from dataclasses import replace

from mho.hw.config import Chip
from mho.hw.core.layout import OpLayout, pack
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds import core_blocks, timing
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
