"""An ideal macro in Verilog-2005, so that a generated design runs in any simulator before its macro has a model."""

from collections.abc import Sequence

__all__ = ["CELL_PYTHON", "cell", "write_macro_model"]

CELL_PYTHON = "1 + (bl * 5 + sl * 3 + bl * sl) % 13"
"""Conductance code of a cell of the model; the expression means the same in Python and in Verilog."""


def cell(bl: int, sl: int) -> int:
    """Conductance code of the cell at a bit line and a source line."""
    return 1 + (bl * 5 + sl * 3 + bl * sl) % 13


def write_macro_model(module: str, lines: int) -> str:
    """Verilog of an ideal macro with the pins of the contract.

    Its cells are fixed (:func:`cell`). A line's charge is ``2 a + 1`` for the accumulated product a, and one decrement
    takes ``2 step_code`` of it, whatever the conductances: the exact converter of the core with equal steps.
    """
    top = lines - 1
    body: Sequence[str] = (
        "// Ideal macro for simulation: fixed cells, no noise.",
        "// A charge is 2 * a + 1 for the accumulated product a; one decrement takes 2 * step_code of it.",
        f"module {module} (",
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
        "  output wire hold",
        ");",
        "",
        f"  integer charge [0:{top}];",
        f"  reg [{top}:0] direction;",
        "  integer bl, sl, line, code, step;",
        "",
        "  assign hold = 1'b0;",
        "",
        "  always @(posedge clk) begin",
        "    step = (2 * step_code) << dec_scale;",
        f"    for (line = 0; line < {lines}; line = line + 1) begin",
        "      if (precharge) begin",
        "        charge[line] = 1;",
        "      end",
        "      if (decrement) begin",
        "        charge[line] = direction[line] ? charge[line] + step : charge[line] - step;",
        "      end",
        "    end",
        "    if (sample) begin",
        f"      for (bl = 0; bl < {lines}; bl = bl + 1) begin",
        f"        for (sl = 0; sl < {lines}; sl = sl + 1) begin",
        f"          code = wl_en[bl] ? {CELL_PYTHON} : 0;",
        "          if (backward) begin",
        "            charge[bl] = charge[bl] + (sl_pos[sl] ? 2 * code : 0) - (sl_neg[sl] ? 2 * code : 0);",
        "          end else begin",
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
        "endmodule",
    )
    return "\n".join(body) + "\n"
