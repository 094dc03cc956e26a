"""The first test of a generated design, which its user owns from then on."""


from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds import core_blocks, timing
from mho.macro_models.integer.operation import MvmOperation
from mho.rtl_gen import templates
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.body import python_body
from mho.rtl_gen.tapeout_files import Design
from mho.rtl_gen.templates import fill

__all__ = ["FALL", "bench_files", "fill", "model_texts", "runner_files", "template"]

FALL = """\
    # A simulator of two values sees no edge at power-on, which flip-flops behind closed clock gates wait for.
    dut.rst_n.value = 1
    await Timer(1, "ns")
"""
"""Before an asynchronous reset begins."""


def template(name: str) -> str:
    """A template of Python."""
    return templates.template(f"{name}.py")


def _host(design: Design, wrap: str) -> str:
    if wrap == "none":
        blocks = core_blocks(design.chip)
        return fill(template("bench_streams"), {"TRIM": blocks.trim, "UNUSED": list(blocks.idle)})
    map = core_blocks(design.chip).registers
    addresses = {entry.name.upper(): f"{entry.address:#05x}" for entry in map.entries}
    text = template(f"bench_{wrap}") + template("bench_registers")
    return fill(text + (template("bench_write") if _programs(design, wrap) else ""), addresses)


def _programs(design: Design, wrap: str) -> bool:
    """Whether the bench programs cells: through registers, where the core has an engine for it."""
    return wrap != "none" and core_blocks(design.chip).pins.verify_bits is not None


_CYCLES = 50_000
"""Cycles that a product of the bench may take, where fewer bits help: Icarus simulates some thousands a second."""


def _operation(chip: Chip) -> MvmOperation:
    """The product that the bench asks for: 4 bits in and 8 out, or fewer where analog operations take very long."""
    chosen = MvmOperation(in_bits=4, out_bits=8)
    for in_bits, out_bits in ((4, 8), (4, 6), (4, 4), (4, 3), (3, 3), (2, 3)):
        chosen = MvmOperation(in_bits=in_bits, out_bits=out_bits)
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
        "HOST": _host(design, wrap), "TOP": design.top, "LINES": lines, "PERIOD": 10, "IDEAL": ideal,
        "RESET": "rst_n" if low else "rst", "ACTIVE": int(not low), "IDLE": int(low), "FALL": FALL if low else "",
        "STEP_CODE": texts.step_code(lines), "IN_BITS": op.in_bits, "OUT_BITS": op.out_bits,
        # A few operations and some reads of cells, at 10 ns a cycle.
        "LONGEST": longest, "TIMEOUT": 20000 + longest // 10,
    }
    return fill(template(texts.bench) + (template("bench_program") if _programs(design, wrap) else ""), values)


_TAB = "\t"
"""What a recipe of make begins with."""


def _makefile(design: Design) -> str:
    """By the runner of cocotb, which takes any names of files, and Verilators that cocotb's own make refuses."""
    return f"""# cocotb 2: `make`, `make SIM=verilator` (with the contract of the macro's pins), `make WAVES=1`.
SIM ?= icarus
COCOTB_TOPLEVEL ?= {design.top}
# A test of your own: a Python file in this folder, without its ending.
COCOTB_TEST_MODULES ?= bench_{design.top}

# Sources of a top of your own, and of another macro.
USER_SOURCES ?=
MACRO ?=

HERE = "$$(dirname "$(strip $(MAKEFILE_LIST))")"

.PHONY: all clean
all:
{_TAB}SIM=$(SIM) COCOTB_TOPLEVEL=$(COCOTB_TOPLEVEL) USER_SOURCES="$(USER_SOURCES)" WAVES=$(WAVES) \\
{_TAB}  MACRO="$(MACRO)" COCOTB_TEST_MODULES=$(COCOTB_TEST_MODULES) \\
{_TAB}  $(shell cocotb-config --python-bin) $(HERE)/test_{design.top}.py
clean:
{_TAB}rm -rf $(HERE)/sim_build_*
"""


def _runner(design: Design, models: tuple[str, ...]) -> str:
    return f'''"""Runs the bench: `pytest`, `SIM=verilator pytest`, or as a program."""

import os
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

HERE = Path(__file__).parent
SIMULATOR = os.environ.get("SIM", "icarus")
TOP = os.environ.get("COCOTB_TOPLEVEL") or "{design.top}"
MINE = os.environ.get("USER_SOURCES", "").split()
WAVES = bool(os.environ.pop("WAVES", ""))  # else cocotb takes it as well
MODELS = os.environ.get("MACRO", "").split() or {list(models)!r}
TESTS = os.environ.get("COCOTB_TEST_MODULES") or "bench_{design.top}"
# Assertions of the macro's pins, for simulators that bind them.
CONTRACT = ["{design.top}_macro_contract.sv"] if SIMULATOR == "verilator" else []


def test_{design.top}():
    assert MODELS, "the macro has no model for simulation: list one in [macro] files of the chip description"
    rtl = [HERE.parent / line for line in (HERE.parent / "{design.top}.f").read_text().split()]
    own = [HERE / file for file in (*MODELS, *CONTRACT, *MINE)]
    missing = [str(file) for file in own if not file.is_file()]
    assert not missing, f"MACRO and USER_SOURCES must name files in {{HERE}}; there is no {{', '.join(missing)}}"
    build = HERE / f"sim_build_{{SIMULATOR}}"
    build.mkdir(exist_ok=True)
    arguments = {{"icarus": ["-g2005"], "verilator": ["-Wno-fatal", "--assert"]}}.get(SIMULATOR, [])
    if WAVES and SIMULATOR == "icarus":
        # cocotb's own module for waves is SystemVerilog, in which Icarus drops triggers of always @* at time 0.
        (build / "waves.v").write_text(
            f'module waves; initial begin $dumpfile("dump.fst"); $dumpvars(0, {{TOP}}); end endmodule\\n')
        own.append(build / "waves.v")
        arguments += ["-s", "waves"]
    runner = get_runner(SIMULATOR)
    runner.build(
        sources=[*rtl, *own],
        hdl_toplevel=TOP,
        build_dir=build,
        build_args=arguments,
        timescale=("1ns", "1ps"),
        defines={{"STATE_NAMES": 1}} if WAVES else {{}},
        waves=WAVES and SIMULATOR != "icarus",
        always=SIMULATOR == "icarus",  # it looks at the time of files alone, not at which files and options
    )
    results = runner.test(
        hdl_toplevel=TOP,
        waves=WAVES,
        test_module=TESTS,
        build_dir=build,
        test_dir=HERE,
        results_xml=build / "results.xml",
        extra_env={{"PYTHONPATH": str(HERE)}},
    )
    total, failed = get_results(results)
    assert total
    assert not failed


if __name__ == "__main__":
    test_{design.top}()
'''


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
    return {f"test_{design.top}.py": _runner(design, models), "Makefile": _makefile(design)}
