"""What is generated around the macro of the made-up kind."""

from mho.hw.kinds import core_blocks
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import contract_signals, declared_ports
from mho.rtl_gen.templates import fill

WEIGHT = "(row * 5 + column * 3 + row * column) % 13 - 6"

MODEL = """\
// Ideal macro for simulation: fixed weights, or with CELLS_FILE defined those of +cells=FILE, about @MIDDLE@.
module @MODULE@ (
`ifdef USE_POWER_PINS
  inout  wire VDD,
  inout  wire VSS,
`endif
@PORTS@
);
  integer row, column, level, code, weight;
  integer charges [0:@COLUMNS@-1];
  reg [15:0] cells [0:@ROWS@*@COLUMNS@-1];
  reg [@COLUMNS@*@BITS@-1:0] result, captured;
  reg [2:0] weight_of_plane;
  reg begun;
`ifdef CELLS_FILE
  reg [8*1024-1:0] cells_file;
`endif
  assign hold = 1'b0;

  initial begin
    begun = 0;
    for (row = 0; row < @ROWS@; row = row + 1)
      for (column = 0; column < @COLUMNS@; column = column + 1)
        cells[@COLUMNS@ * row + column] = @MIDDLE@ + @WEIGHT@;
`ifdef CELLS_FILE
    if ($value$plusargs("cells=%s", cells_file))
      $readmemh(cells_file, cells);
`endif
  end

  always @(posedge clk) begin
    if (sample | convert)
      for (column = 0; column < @COLUMNS@; column = column + 1) begin
        if (!begun)
          charges[column] = 0;
        else
          for (row = 0; row < @ROWS@; row = row + 1) begin
            level = row_pos[row] ? 1 : row_neg[row] ? -1 : 0;
            weight = cells[@COLUMNS@ * row + column];
            charges[column] = charges[column] + (level * (weight - @MIDDLE@) <<< weight_of_plane);
          end
      end
    if (sample)
      weight_of_plane = plane;
    if (convert)
      for (column = 0; column < @COLUMNS@; column = column + 1) begin
        // The floor, which division is not.
        code = charges[column] / $signed({1'b0, step_code});
        if (code * $signed({1'b0, step_code}) > charges[column])
          code = code - 1;
        code = code > @TOP@ ? @TOP@ : code < -@TOP@ - 1 ? -@TOP@ - 1 : code;
        result[@BITS@ * column +: @BITS@] = code[@BITS@-1:0];
      end
    if (sample | convert)
      begun = sample;
    if (capture)
      captured = result;
    codes <= captured[@LANES@ * @BITS@ * group +: @LANES@ * @BITS@];
  end
endmodule
"""

PRODUCTS = """\
def product(codes, outputs):
    \"""Codes of the ideal model, in half steps: 2 n + 1 of the floor n of a sum over steps.\"""
    result = []
    for column in range(outputs):
        total = sum(code * (@WEIGHT@) for row, code in enumerate(codes))
        code = min(max(total // STEP, -@TOP@), @TOP@ - 1)
        limit = 2**OUT_BITS - 1
        result.append(min(max(2 * code + 1, -limit), limit))
    return result
"""


def _model(module, chip):
    cfg = core_blocks(chip).cfg
    return fill(MODEL, {
        "MODULE": module, "PORTS": declared_ports(contract_signals(core_blocks(chip).pins)), "WEIGHT": WEIGHT,
        "ROWS": cfg.rows, "COLUMNS": cfg.columns, "BITS": cfg.converter.bits, "LANES": cfg.lanes,
        "MIDDLE": chip.macro_config().middle, "TOP": 2 ** (cfg.converter.bits - 1) - 1,
    })


def _values(chip):
    return {"WEIGHT": WEIGHT, "TOP": 2 ** (chip.sar.bits - 1)}


TEXTS = MacroTexts(
    model=_model, step_code=lambda chip: max(1, 14 * chip.core.rows >> chip.sar.bits), products=PRODUCTS,
    values=_values,
)
