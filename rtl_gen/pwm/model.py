"""An ideal phase-change macro in Verilog-2005, so that a generated design runs before its macro has a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.config import Chip
from hw.config.kinds.pwm import PwmChip
from hw.pwm.config import PwmCoreConfig
from hw.pwm.pins import PwmPins
from macro_models.exact.operation import STEP_FRACTION_BITS
from macro_models.exact.pwm.converter import (
    COUNT_BITS,
    LEVEL_BITS,
    LEVEL_TOP,
    POSITIVE,
    Oscillators,
    counts,
    level,
)
from macro_models.pwm.config import PwmConfig
from rtl_gen.macro.signals import contract_signals

__all__ = ["WEIGHT", "ideal_counts", "weight", "window_charges", "write_pwm_model"]

WEIGHT = "512 * ((row * 5 + column * 3 + row * column) % 13 - 6)"
"""Weight of a row and a column of the model, as the code of its device; it means the same in Python and in Verilog."""


def weight(row: int, column: int) -> int:
    """Weight of the model at a row and a column."""
    return 512 * ((row * 5 + column * 3 + row * column) % 13 - 6)


def window_charges(x: NDArray[Any], weights: NDArray[Any], windows: int) -> tuple[list[NDArray[Any]], ...]:
    """Accumulated products of the windows of the positive and of the negative oscillators, of weights [row, column]."""
    if windows == 1:
        total = x @ weights
        return [total], [-total]
    signs = [(np.maximum(s * x, 0), np.maximum(t * weights, 0)) for s, t in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    each = [rows @ devices for rows, devices in signs]
    return each[:2], each[2:]


def ideal_counts(config: PwmConfig, charges: Sequence[NDArray[Any]], step_code: int) -> NDArray[np.int64]:
    """Counts of oscillators without any error, for the accumulated product of each of their windows."""
    made, step = Oscillators.ideal(len(charges[0]), config.top_counts), config.step(step_code)
    grown = sum(
        made.grow(POSITIVE, level(np.maximum(q, 0).astype(np.float64), step, config.nominal_gain_code)) for q in charges
    )
    return counts(np.full(len(charges[0]), 2.0 ** (COUNT_BITS - 1)), np.asarray(grown)).astype(np.int64)


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

    It has the law of the converter that networks are compiled for (:mod:`macro_models.exact.pwm.converter`), without
    any error and without trim registers. A weight has one device of its sign, whose code is its magnitude; where
    ``CELLS_FILE`` is defined, devices have the codes of the file ``+cells=FILE`` (hexadecimal, word line by word line).
    With an engine it answers as :class:`rtl_gen.pwm.ideal.IdealMacro` does.
    """
    cfg = PwmCoreConfig.from_chip(chip)
    n, width, group = cfg.lines, cfg.count_bits, cfg.lanes * cfg.count_bits
    signals = contract_signals(PwmPins(cfg))
    ports = [
        f"  {'output reg ' if driven and name != 'hold' else 'output wire' if driven else 'input  wire'} "
        f"{'' if size == 1 else f'[{size - 1}:0] '}{name}" for name, (size, driven) in signals.items()
    ]
    listed = ",\n".join(ports)
    kept, counted = _commanded(cfg) if cfg.engine else ("", "")
    config, each = PwmChip.of(chip).macro_config(), cfg.cells // 2
    ratio = repr(config.full_conductance_uS / config.lsb_uS)
    sides = ("pp + nn", "pn + np") if cfg.phases > 1 else ("pp + nn - pn - np", "pn + np - pp - nn")
    windows = [part.split(" + ") for part in sides] if cfg.phases > 1 else [[part] for part in sides]
    level_of = "".join(
        f"""        {name} = {2 ** (COUNT_BITS - 1)};
""" + "".join(f"        {name} = {name} + grown({part});\n" for part in parts)
        + f"        {name} = {name} >> {COUNT_BITS};\n"
        for name, parts in zip(("positive", "negative"), windows, strict=True)
    )
    gain, fraction = config.nominal_gain_code, 2**STEP_FRACTION_BITS
    return f"""// Ideal macro for simulation, without noise: fixed weights, or with CELLS_FILE defined those of
// +cells=FILE.
//
// A window with an accumulated product q (codes of inputs times codes of devices) is a current of
// u = q * 2**{LEVEL_BITS + 9} / ({gain} * step), rounded down, at most {LEVEL_TOP}. The step is step_code / {fraction}
// of {ratio}, the conductance at the highest frequency in codes: to the nearest whole number (of two the
// even one), at least 1. The phase grows by u / 2**{LEVEL_BITS} counts, at most {cfg.top_counts}, from half a count
// on; the counter shows its whole part.
module {module} (
`ifdef USE_POWER_PINS
  inout  wire VDD,
  inout  wire VSS,
`endif
{listed}
);

  // Cycles of the pulses of each row: inputs positive or negative, with devices positive or negative.
  integer ticks_pp [0:{n - 1}], ticks_pn [0:{n - 1}], ticks_np [0:{n - 1}], ticks_nn [0:{n - 1}];
  integer row, column, weight, lane, device, code;
  reg signed [63:0] pp, pn, np, nn;  // accumulated products of the windows
  reg [63:0] positive, negative, step;
  real wanted;
  reg [{cfg.mask_lines - 1}:0] wl;
  reg [15:0] cells [0:{cfg.mask_lines * n - 1}];
`ifdef CELLS_FILE
  reg [8*1024-1:0] cells_file;
`endif
  reg [{n * cfg.count_bits - 1}:0] captured_pos, captured_neg;
{kept}
  assign hold = 1'b0;

  initial begin
    for (row = 0; row < {n}; row = row + 1)
      for (column = 0; column < {n}; column = column + 1) begin
        weight = {WEIGHT};
        for (device = 0; device < {cfg.cells}; device = device + 1)
          cells[{n} * ({cfg.cells} * row + device) + column] = 0;
        if (weight > 0)
          cells[{n} * ({cfg.cells} * row) + column] = weight;
        else
          cells[{n} * ({cfg.cells} * row + {each}) + column] = -weight;
      end
`ifdef CELLS_FILE
    if ($value$plusargs("cells=%s", cells_file))
      $readmemh(cells_file, cells);
`endif
  end

  // Growth of the phase in a window, in 2**-{COUNT_BITS} counts.
  function [63:0] grown;
    input signed [63:0] q;
    reg [63:0] u;
    begin
      u = q < 0 ? 0 : (q << {LEVEL_BITS + 9}) / ({gain} * step);
      if (u > {LEVEL_TOP}) u = {LEVEL_TOP};
      u = u << {COUNT_BITS - LEVEL_BITS};
      grown = u > 64'd{cfg.top_counts << COUNT_BITS} ? 64'd{cfg.top_counts << COUNT_BITS} : u;
    end
  endfunction

  always @(posedge clk) begin
    if (start)
      wl = wl_en;
    for (row = 0; row < {n}; row = row + 1) begin
      if (start) begin
        ticks_pp[row] = 0;
        ticks_pn[row] = 0;
        ticks_np[row] = 0;
        ticks_nn[row] = 0;
      end
      if (row_pos[row]) begin
        ticks_pp[row] = ticks_pp[row] + device_pos;
        ticks_pn[row] = ticks_pn[row] + device_neg;
      end
      if (row_neg[row]) begin
        ticks_np[row] = ticks_np[row] + device_pos;
        ticks_nn[row] = ticks_nn[row] + device_neg;
      end
    end
    if (capture) begin
      wanted = step_code * {ratio} / {fraction}.0;
      step = $rtoi(wanted);
      if (wanted - step > 0.5 || (wanted - step == 0.5 && step[0]))
        step = step + 1;
      if (step == 0)
        step = 1;
      for (column = 0; column < {n}; column = column + 1) begin
        pp = 0;
        pn = 0;
        np = 0;
        nn = 0;
        for (row = 0; row < {n}; row = row + 1)
          for (device = 0; device < {cfg.cells}; device = device + 1) begin
            code = wl[{cfg.cells} * row + device] ? cells[{n} * ({cfg.cells} * row + device) + column] : 0;
            if (device < {each}) begin
              pp = pp + code * (ticks_pp[row] / ({cfg.lsb_cycles} << shift));
              np = np + code * (ticks_np[row] / ({cfg.lsb_cycles} << shift));
            end else begin
              pn = pn + code * (ticks_pn[row] / ({cfg.lsb_cycles} << shift));
              nn = nn + code * (ticks_nn[row] / ({cfg.lsb_cycles} << shift));
            end
          end
{level_of}{counted}        captured_pos[{width} * column +: {width}] = positive > 4095 ? 4095 : positive;
        captured_neg[{width} * column +: {width}] = negative > 4095 ? 4095 : negative;
      end
    end
    count_pos <= captured_pos[{group} * count_row +: {group}];
    count_neg <= captured_neg[{group} * count_row +: {group}];
  end

endmodule
"""
