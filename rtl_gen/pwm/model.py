"""An ideal phase-change macro in Verilog-2005, so that a generated design runs before its macro has a model."""

from hw.config import Chip
from hw.pwm.config import PwmCoreConfig
from hw.pwm.pins import PwmPins
from rtl_gen.macro.signals import contract_signals

__all__ = ["WEIGHT", "weight", "write_pwm_model"]

WEIGHT = "(row * 5 + column * 3 + row * column) % 13 - 6"
"""Weight of a row and a column of the model; the expression means the same in Python and in Verilog."""


def weight(row: int, column: int) -> int:
    """Weight of the model at a row and a column."""
    return (row * 5 + column * 3 + row * column) % 13 - 6


def _commanded(cfg: PwmCoreConfig) -> tuple[str, str]:
    """What commands need beside products: what is kept, and what is counted of it."""
    windows = 1 if cfg.phases == 1 else 2
    return f"""
  // Devices of each word line as pulses left them, and what the conversion that runs is of.
  reg [7:0] devices [0:{cfg.mask_lines * cfg.lines - 1}];
  reg [8:0] amplitude [0:{cfg.lines - 1}];
  reg of_references, of_device, pulsed;
  reg [1:0] quarter_pos, quarter_neg;
  integer line, k;

  initial begin
    pulsed = 1'b0;
    for (k = 0; k < {cfg.mask_lines * cfg.lines}; k = k + 1)
      devices[k] = 8'd0;
  end

  always @(posedge clk) begin
    if (start) begin
      of_references <= reference;
      of_device <= verify;
      quarter_pos <= reference_pos;
      quarter_neg <= reference_neg;
    end
    if (amplitude_write)
      amplitude[amplitude_column] <= amplitude_data;
    pulsed <= pulse;
    if (pulse & ~pulsed) begin
      for (k = 0; k < {cfg.mask_lines}; k = k + 1)
        if (wl_en[k])
          line = k;
      for (k = 0; k < {cfg.lines}; k = k + 1)
        if (amplitude[k][8])
          devices[{cfg.lines} * line + k] = ~amplitude[k][7:0];
    end
  end
""", f"""        if (of_references) begin
          positive = quarter_pos == 0 ? 0 : {windows * (cfg.top_counts // 4)} * quarter_pos - column % 4;
          negative = quarter_neg == 0 ? 0 : {windows * (cfg.top_counts // 4)} * quarter_neg - column % 4;
        end
        if (of_device) begin
          positive = devices[{cfg.lines} * line + column];
          negative = 0;
        end
"""


def write_pwm_model(module: str, chip: Chip) -> str:
    """Verilog of an ideal macro with the pins of the contract.

    A weight has one device of its sign, of the conductance of its magnitude. A counter is ``16 q / step_code`` for the
    product q of inputs and devices that its oscillator sees, at most 4095: exact, and without trim registers. With an
    engine it answers as :class:`rtl_gen.pwm.ideal.IdealMacro` does.
    """
    cfg = PwmCoreConfig.from_chip(chip)
    n, group = cfg.lines, cfg.lanes * cfg.count_bits
    signals = contract_signals(PwmPins(cfg))
    ports = [
        f"  {'output reg ' if driven and name != 'hold' else 'output wire' if driven else 'input  wire'} "
        f"{'' if width == 1 else f'[{width - 1}:0] '}{name}" for name, (width, driven) in signals.items()
    ]
    one = "" if cfg.phases > 1 else """
          if (positive >= negative) begin
            positive = positive - negative;
            negative = 0;
          end else begin
            negative = negative - positive;
            positive = 0;
          end"""
    listed = ",\n".join(ports)
    kept, counted = _commanded(cfg) if cfg.engine else ("", "")
    return f"""// Ideal macro for simulation, without noise: fixed weights, exact counters.
module {module} (
`ifdef USE_POWER_PINS
  inout  wire VDD,
  inout  wire VSS,
`endif
{listed}
);

  // Cycles of the pulses of each row: inputs positive or negative, with devices positive or negative.
  integer pp [0:{n - 1}], pn [0:{n - 1}], np [0:{n - 1}], nn [0:{n - 1}];
  integer row, column, weight, lane;
  integer positive, negative;
  reg [{n * cfg.count_bits - 1}:0] captured_pos, captured_neg;
{kept}
  assign hold = 1'b0;

  always @(posedge clk) begin
    for (row = 0; row < {n}; row = row + 1) begin
      if (start) begin
        pp[row] = 0;
        pn[row] = 0;
        np[row] = 0;
        nn[row] = 0;
      end
      if (row_pos[row] & wl_en[{cfg.cells} * row]) begin
        pp[row] = pp[row] + device_pos;
        pn[row] = pn[row] + device_neg;
      end
      if (row_neg[row] & wl_en[{cfg.cells} * row]) begin
        np[row] = np[row] + device_pos;
        nn[row] = nn[row] + device_neg;
      end
    end
    if (capture) begin
      for (column = 0; column < {n}; column = column + 1) begin
        positive = 0;
        negative = 0;
        for (row = 0; row < {n}; row = row + 1) begin
          weight = {WEIGHT};
          if (weight > 0) begin
            positive = positive + weight * pp[row];
            negative = negative + weight * np[row];
          end else begin
            positive = positive - weight * nn[row];
            negative = negative - weight * pn[row];
          end
        end
        begin{one}
          positive = 16 * (positive / ({cfg.lsb_cycles} << shift)) / step_code;
          negative = 16 * (negative / ({cfg.lsb_cycles} << shift)) / step_code;
        end
{counted}        captured_pos[{cfg.count_bits} * column +: {cfg.count_bits}] = positive > 4095 ? 4095 : positive;
        captured_neg[{cfg.count_bits} * column +: {cfg.count_bits}] = negative > 4095 ? 4095 : negative;
      end
    end
    count_pos <= captured_pos[{group} * count_row +: {group}];
    count_neg <= captured_neg[{group} * count_row +: {group}];
  end

endmodule
"""
