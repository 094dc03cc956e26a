"""The one module with registers that a pin clears: whether programming is allowed."""

__all__ = ["PERMISSION", "write_permission"]

PERMISSION = "programming_permission"
"""Name of the module of :class:`mho.hw.core.write_verify.ProgrammingPermission` without the prefix."""


def write_permission(prefix: str) -> str:
    """Verilog of the module."""
    return f"""// Whether programming is allowed: once `enable` was 0, however shortly, not before `busy` is 0 and
// two clock edges have passed. The flip-flops are cleared by `enable` without a clock and set by the clock, as those
// of a synchronised reset; a library's synchroniser with a reset can take their place.
module {prefix}{PERMISSION} (
  input  wire clk,
  input  wire enable,   // the pin, in no clock's domain
  input  wire busy,     // something programs, or waits to go on with it
  output wire granted   // programming is allowed
);

  reg [1:0] held;

  always @(posedge clk or negedge enable) begin
    if (~enable) begin
      held <= 2'b00;
    end else begin
      held <= {{held[0], held[0] | ~busy}};
    end
  end

  assign granted = held[1];

endmodule
"""
