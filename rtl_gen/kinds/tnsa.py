"""The transposable macro: an ideal model in Verilog-2005, and the contract of its pins, which is bound to the core."""

from mho.hw.config import SYNCHRONISER_CYCLES, Chip
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds import core_blocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import bound_nets, contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.names import range_text

CELL_PYTHON = "1 + (bl * 5 + sl * 3 + bl * sl) % 13"
"""Conductance code of a cell of the model; the expression means the same in Python and in Verilog."""


def cell(bl: int, sl: int) -> int:
    """Conductance code of the cell at a bit line and a source line."""
    return 1 + (bl * 5 + sl * 3 + bl * sl) % 13


def write_macro_model(module: str, lines: int, verify_bits: int | None = None) -> str:
    """Verilog of an ideal macro with the pins of the contract.

    It has the law of the converter that networks are compiled for (``docs/howto/own-macro.md``), without noise: a
    line's charge is ``2 a + 1`` for the accumulated product a, and one decrement takes ``2 max(1, rint(step_code *
    load / 2**14)) << dec_scale`` of it; ``load`` is the sum of the codes of the line's cells whose word line is on.

    From power-on its cells have fixed codes (:func:`cell`), which no reset changes; where ``CELLS_FILE`` is defined,
    those of the file ``+cells=FILE`` (hexadecimal, bit line by bit line). With ``verify_bits`` it has the pins of
    programming: the cells that they move, by the amplitude of each pulse at its end, are the cells that multiply, and
    a verify read gives their codes.
    The array belongs to one: while a pin of programming is on, a sample adds nothing, and while a pulse is on, a cell
    reads 0. So a pin of the wrong polarity shows.
    """
    signals = contract_signals(MacroPins(lines, verify_bits))
    busy = "write_mode | verify | set_pulse | reset_pulse | form_pulse" if verify_bits else "1'b0"
    write = template("tnsa_macro_write.v") if verify_bits else ""
    return fill(template("tnsa_macro.v"), {
        "WRITE": write.rstrip("\n"), "MODULE": module, "PORTS": declared_ports(signals), "BUSY": busy, "LINES": lines,
        "CELL": CELL_PYTHON, "FULL": 2 ** (verify_bits or 0) - 1,
    })


_UNUSED = ("op_id", "write_pass", "verify_code", "verify_valid")
"""Pins that the contract says nothing of: numbers for models, and what a converter answers."""


def write_contract(chip: Chip, core: str, text: str, adapter: str, name: str) -> str:
    """SystemVerilog of the contract ``name`` and its binding.

    Parameters
    ----------
    core, text
        Module that holds the adapter of the macro, and its Verilog.
    adapter
        Module of the adapter.
    """
    cfg, pins = TnsaCoreConfig.from_chip(chip), MacroPins.from_chip(chip)
    durations = {f"{name}_cycles".upper(): getattr(cfg, f"{name}_cycles") for name in _OPERATIONS}
    values: dict[str, object] = {"LINES": chip.lines, "WRITE_PARAMETERS": "", "WRITE_PORTS": "", "WRITE_BODY": ""}
    if pins.verify_bits is not None:
        write = WriteVerifyConfig.from_chip(chip)
        durations |= {"SETUP_CYCLES": write.setup_cycles, "VERIFY_CYCLES": write.verify_cycles}
        extra = [f"parameter [@AGE@:0] {key} = @{key}@" for key in ("SETUP_CYCLES", "VERIFY_CYCLES")]
        members = pins.members
        ports = [
            f"input wire {_range(name, members[name].shape)}{name}" for name in pins.write_names if name not in _UNUSED
        ]
        values["WRITE_PARAMETERS"] = "".join(f",\n  {line}" for line in extra)
        values["WRITE_PORTS"] = "".join(f",\n  {line}" for line in (*ports, "input wire programming_enable"))
        values["WRITE_BODY"] = template("macro_contract_write.sv")
    bound = bound_nets(
        chip, text, adapter, pins.members.keys() - {*_UNUSED}, *["manual_active"] * cfg.manual,
        beside={"in_test": "test_mode"} if chip.verilog.test else {},
    )
    bound += ",\n  .programming_enable(programming_enable)" * (pins.verify_bits is not None)
    values |= _late(cfg) | _off(test=chip.verilog.test)
    size = max(durations.values()).bit_length()
    durations |= {"LONGEST": max(durations.values()), "ZERO": 0, "ONE": 1, "LATE": SYNCHRONISER_CYCLES}
    values |= {key: f"{size}'d{number}" for key, number in durations.items()}
    values |= {
        "AGE": size - 1, "NAME": name, "CORE": core,
        "CONNECTIONS": bound,
    }
    return fill(template("macro_contract.sv"), values)


def _off(*, test: bool) -> dict[str, object]:
    """When nothing is looked at: in reset, and in a test until there is a reset after it."""
    tested = (
        "reg tested;                    // there was a test, and no reset since\n"
        "  always @(posedge clk) tested <= in_test | (tested & ~in_reset);\n"
        "  wire off = in_reset | in_test | tested;"
    )
    return {
        "TEST_PORT": "\n  input wire in_test," if test else "",
        "OFF": tested if test else "wire off = in_reset;",
    }


def _late(cfg: TnsaCoreConfig) -> dict[str, object]:
    """How the core sees hold, and from when cmp has to stand: both later where it has a synchroniser for them."""
    late = SYNCHRONISER_CYCLES
    flops = (
        f"reg [{late - 1}:0] late_hold;         // of the synchroniser\n"
        f"  always @(posedge clk) late_hold <= in_reset ? {late}'d0 : {{late_hold[{late - 2}:0], hold}};\n"
        f"  wire frozen = late_hold[{late - 1}];"
    )
    stands = "\n      & (last != COMPARE | compare | (~hold & ~frozen & age >= COMPARE_CYCLES - @LATE@))"
    return {
        "HOLD": flops if "hold" in cfg.synchronise else "wire frozen = hold;",
        "CMP_STANDS": stands if "cmp" in cfg.synchronise else "",
    }


_OPERATIONS = ("reset", "plane", "sample", "compare", "decrement")


def _range(name: str, shape: object) -> str:
    if name.startswith(("write_wl", "write_bl", "write_sl")):
        return "[LINES-1:0] "
    return range_text(shape) if isinstance(shape, int) else ""


TEXTS = MacroTexts(
    # A step code of about a fifth of the range of the sums, so that codes spread.
    model=lambda module, chip: write_macro_model(module, chip.lines, core_blocks(chip).pins.verify_bits),
    contract=write_contract, bench="bench", written="bench_program", step_code=lambda chip: 288,
    products=template("products_tnsa.py"), values=lambda chip: {"CELL": CELL_PYTHON},
    operation=lambda chip, in_bits, out_bits: TnsaOperation(in_bits=in_bits, out_bits=out_bits),
)
