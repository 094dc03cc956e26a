// Body of a transposable macro for simulators without DPI, in Verilog-2005: every strobe is passed to the shell core_tb.v,
// where Python waits for it (sim/core/strobed/tnsa.py), and Python's answer is the comparators' output.

// The pins at the last strobe.
module tnsa_pins;
    reg [1:0] strobe;
    reg [`MHO_LINES-1:0] positive, negative, wl_en;
    reg backward, latch;
    reg [2:0] dec_scale;
    reg [15:0] step_code;
    reg [63:0] op_id;
    reg [`MHO_LINES-1:0] answer;
    initial answer = 0;
endmodule

module tnsa_macro (
    input  wire                  clk,
    input  wire                  backward,
    input  wire [`MHO_LINES-1:0] bl_pos,
    input  wire [`MHO_LINES-1:0] bl_neg,
    input  wire [`MHO_LINES-1:0] sl_pos,
    input  wire [`MHO_LINES-1:0] sl_neg,
    input  wire [`MHO_LINES-1:0] wl_en,
    input  wire                  precharge,
    input  wire                  sample,
    input  wire [2:0]            plane,
    input  wire                  compare,
    input  wire                  latch,
    input  wire                  decrement,
    input  wire [2:0]            dec_scale,
    input  wire [15:0]           step_code,
    input  wire [63:0]           op_id,
    output wire [`MHO_LINES-1:0] cmp,
    output wire                  hold
`ifdef MHO_VERIFY_BITS
    ,
    input  wire                  write_mode,
    input  wire [`MHO_LINES-1:0] write_wl,
    input  wire [`MHO_LINES-1:0] write_bl,
    input  wire [`MHO_LINES-1:0] write_sl,
    input  wire                  set_pulse,
    input  wire                  reset_pulse,
    input  wire                  form_pulse,
    input  wire [7:0]            amplitude,
    input  wire                  verify,
    input  wire [3:0]            write_pass,
    output wire [`MHO_VERIFY_BITS-1:0] verify_code,
    output wire                  verify_valid
`endif
);
    assign cmp = core_tb.pins.answer;
    assign hold = core_tb.slow;

    always @(posedge clk)
        if ((precharge | sample | compare | decrement) === 1'b1) begin
            core_tb.pins.strobe <= precharge ? 2'd0 : sample ? 2'd1 : compare ? 2'd2 : 2'd3;
            core_tb.pins.positive <= backward ? sl_pos : bl_pos;
            core_tb.pins.negative <= backward ? sl_neg : bl_neg;
            core_tb.pins.wl_en <= wl_en;
            core_tb.pins.backward <= backward;
            core_tb.pins.latch <= latch;
            core_tb.pins.dec_scale <= dec_scale;
            core_tb.pins.step_code <= step_code;
            core_tb.pins.op_id <= op_id;
            core_tb.strobed <= ~core_tb.strobed;
        end
endmodule
