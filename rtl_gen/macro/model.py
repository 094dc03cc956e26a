"""An ideal macro in Verilog-2005, so that a generated design runs in any simulator before its macro has a model."""

from collections.abc import Sequence
from fractions import Fraction

from macro_models.exact.operation import STEP_FRACTION_BITS

__all__ = ["CELL_PYTHON", "cell", "expected", "write_macro_model"]

CELL_PYTHON = "1 + (bl * 5 + sl * 3 + bl * sl) % 13"
"""Conductance code of a cell of the model; the expression means the same in Python and in Verilog."""


def cell(bl: int, sl: int) -> int:
    """Conductance code of the cell at a bit line and a source line."""
    return 1 + (bl * 5 + sl * 3 + bl * sl) % 13


def expected(total: int, load: int, step_code: int, top: int = 127) -> int:
    """Code in half steps of the product ``total`` on a line of ``load``, by the law of the converter, counting."""
    half = max(1, round(Fraction(step_code * load, 2**STEP_FRACTION_BITS)))
    count = min(abs(2 * total + 1) // (2 * half), top)
    return -(2 * count + 1) if total < 0 else 2 * count + 1


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
    top, bits = lines - 1, STEP_FRACTION_BITS
    busy = "write_mode | verify | set_pulse | reset_pulse | form_pulse" if verify_bits else "1'b0"
    body: Sequence[str] = (
        "// Ideal macro for simulation, without noise: fixed cells from power-on, or with CELLS_FILE defined those of",
        "// +cells=FILE, until pulses move them. A charge is 2 * a + 1 for the accumulated product a. One decrement",
        "// takes twice step_code / 2**14 of the line's load, the sum of its cells that are on: to the nearest whole",
        "// number (of two the even one), and at least twice 1.",
        f"module {module} (",
        "`ifdef USE_POWER_PINS",
        "  inout  wire VDD,",
        "  inout  wire VSS,",
        "`endif",
        "  input  wire clk,",
        "  input  wire backward,",
        *(f"  input  wire [{top}:0] {name}," for name in ("bl_pos", "bl_neg", "sl_pos", "sl_neg", "wl_en")),
        "  input  wire precharge,",
        "  input  wire sample,",
        "  input  wire [2:0] plane,",
        "  input  wire compare,",
        "  input  wire latch,",
        "  input  wire decrement,",
        "  input  wire [2:0] dec_scale,",
        "  input  wire [15:0] step_code,",
        "  input  wire [63:0] op_id,",
        f"  output reg  [{top}:0] cmp,",
        f"  output wire hold{',' if verify_bits else ''}",
        *(_write_ports(lines, verify_bits) if verify_bits else []),
        ");",
        "",
        f"  integer charge [0:{top}];",
        f"  integer load [0:{top}];",
        f"  reg [{top}:0] direction;",
        f"  reg [15:0] cells [0:{lines * lines - 1}];",
        "  integer bl, sl, line, code, step;",
        "  reg [63:0] part;",
        "`ifdef CELLS_FILE",
        "  reg [8*1024-1:0] cells_file;",
        "`endif",
        f"  wire busy = {busy};  // the array is not there for products",
        "",
        "  assign hold = 1'b0;",
        "",
        "  initial begin",
        f"    for (bl = 0; bl < {lines}; bl = bl + 1) begin",
        f"      for (sl = 0; sl < {lines}; sl = sl + 1) begin",
        f"        cells[{lines} * bl + sl] = {CELL_PYTHON};",
        "      end",
        "    end",
        "`ifdef CELLS_FILE",
        '    if ($value$plusargs("cells=%s", cells_file)) begin',
        "      $readmemh(cells_file, cells);",
        "    end",
        "`endif",
        "  end",
        "",
        "  always @(posedge clk) begin",
        f"    for (line = 0; line < {lines}; line = line + 1) begin",
        "      if (precharge) begin",
        "        charge[line] = 1;",
        "      end",
        "      if (decrement) begin",
        "        part = step_code * load[line];",
        f"        part = (part + {2 ** (bits - 1) - 1} + part[{bits}]) >> {bits};",
        "        step = (part == 0 ? 2 : 2 * part) << dec_scale;",
        "        charge[line] = direction[line] ? charge[line] + step : charge[line] - step;",
        "      end",
        "      if (sample) begin",
        "        load[line] = 0;",
        "      end",
        "    end",
        "    if (sample && !busy) begin",
        f"      for (bl = 0; bl < {lines}; bl = bl + 1) begin",
        f"        for (sl = 0; sl < {lines}; sl = sl + 1) begin",
        f"          code = wl_en[bl] ? cells[{lines} * bl + sl] : 0;",
        "          if (backward) begin",
        "            load[bl] = load[bl] + code;",
        "            charge[bl] = charge[bl] + (sl_pos[sl] ? 2 * code : 0) - (sl_neg[sl] ? 2 * code : 0);",
        "          end else begin",
        "            load[sl] = load[sl] + code;",
        "            charge[sl] = charge[sl] + (bl_pos[bl] ? 2 * code : 0) - (bl_neg[bl] ? 2 * code : 0);",
        "          end",
        "        end",
        "      end",
        "    end",
        f"    for (line = 0; line < {lines}; line = line + 1) begin",
        "      if (compare) begin",
        "        cmp[line] <= charge[line] < 0;",
        "      end",
        "      if (compare && latch) begin",
        "        direction[line] <= charge[line] < 0;",
        "      end",
        "    end",
        "  end",
        "",
        *(_write_body(lines, verify_bits) if verify_bits else []),
        "endmodule",
    )
    return "\n".join(body) + "\n"


def _write_ports(lines: int, verify_bits: int) -> list[str]:
    flags = ("set_pulse", "reset_pulse", "form_pulse")
    return [
        "  input  wire write_mode,",
        *(f"  input  wire [{lines - 1}:0] {name}," for name in ("write_wl", "write_bl", "write_sl")),
        *(f"  input  wire {name}," for name in flags),
        "  input  wire [7:0] amplitude,",
        "  input  wire verify,",
        "  input  wire [3:0] write_pass,",
        f"  output reg  [{verify_bits - 1}:0] verify_code,",
        "  output wire verify_valid",
    ]


def _write_body(lines: int, verify_bits: int) -> list[str]:
    full = 2**verify_bits - 1
    return [
        "  // A pulse moves the selected cell by its amplitude, at its end.",
        "  integer k, selected, level;",
        "  reg was_set, was_reset;",
        "",
        "  assign verify_valid = 1'b1;",
        "",
        "  initial begin",
        "    was_set = 1'b0;",
        "    was_reset = 1'b0;",
        f"    verify_code = {verify_bits}'d0;",
        "  end",
        "",
        "  always @(posedge clk) begin",
        "    was_set <= set_pulse | form_pulse;",
        "    was_reset <= reset_pulse;",
        "    if (write_mode && (verify || was_set || was_reset)) begin",
        "      selected = 0;",
        f"      for (k = 0; k < {lines}; k = k + 1) begin",
        f"        selected = selected + (write_wl[k] ? {lines} * k : 0) + (write_sl[k] ? k : 0);",
        "      end",
        "      level = cells[selected];",
        "      if (was_set && !set_pulse && !form_pulse) begin",
        "        level = level + amplitude;",
        "      end",
        "      if (was_reset && !reset_pulse) begin",
        "        level = level - amplitude;",
        "      end",
        f"      level = level < 0 ? 0 : level > {full} ? {full} : level;",
        "      cells[selected] = level;",
        "      if (verify) begin",
        "        verify_code <= set_pulse | reset_pulse | form_pulse ? 0 : level;",
        "      end",
        "    end",
        "  end",
        "",
    ]
