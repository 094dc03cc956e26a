"""An ideal macro in Verilog-2005, so that a generated design runs in any simulator before its macro has a model."""

from mho.hw.kinds.tnsa.macro_pins import MacroPins
from mho.rtl_gen.macro.signals import contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template

__all__ = ["CELL_PYTHON", "cell", "write_macro_model"]

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
