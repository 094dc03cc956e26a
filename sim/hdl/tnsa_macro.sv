// Simulation body of a transposable macro: the pins of hw.macro.TnsaPins, answered by shim.cpp through DPI.
// A strobe is taken at the clock edge that ends its cycle; `cmp` changes at that edge and stays until the next compare.

`ifndef MHO_LINES
`define MHO_LINES 256
`endif

module tnsa_macro #(
    parameter int LINES = `MHO_LINES
) (
    input  wire             clk,
    input  wire             backward,
    input  wire [LINES-1:0] bl_pos,
    input  wire [LINES-1:0] bl_neg,
    input  wire [LINES-1:0] sl_pos,
    input  wire [LINES-1:0] sl_neg,
    input  wire [LINES-1:0] wl_en,
    input  wire             precharge,
    input  wire             sample,
    input  wire [2:0]       plane,
    input  wire             compare,
    input  wire             latch,
    input  wire             decrement,
    input  wire [2:0]       dec_scale,
    input  wire [15:0]      step_code,
    input  wire [63:0]      op_id,
    output reg  [LINES-1:0] cmp,
    output wire             hold
);
    import "DPI-C" function chandle mho_macro_create(input int lines);
    import "DPI-C" function void mho_precharge(input chandle handle, input longint unsigned op_id);
    import "DPI-C" function void mho_sample(
        input chandle handle, input bit backward, input int plane,
        input bit [LINES-1:0] bl_pos, input bit [LINES-1:0] bl_neg,
        input bit [LINES-1:0] sl_pos, input bit [LINES-1:0] sl_neg, input bit [LINES-1:0] wl_en);
    import "DPI-C" function void mho_compare(
        input chandle handle, input bit latch, input int step_code, input longint unsigned op_id,
        output bit [LINES-1:0] cmp);
    import "DPI-C" function void mho_decrement(input chandle handle, input int scale, input int step_code);
    import "DPI-C" function bit mho_hold();

    chandle handle;
    initial handle = mho_macro_create(LINES);

    bit [LINES-1:0] answer;

    always @(posedge clk) begin
        if (precharge) mho_precharge(handle, op_id);
        if (sample) mho_sample(handle, backward, {29'd0, plane}, bl_pos, bl_neg, sl_pos, sl_neg, wl_en);
        if (decrement) mho_decrement(handle, {29'd0, dec_scale}, {16'd0, step_code});
        if (compare) begin
            mho_compare(handle, latch, {16'd0, step_code}, op_id, answer);
            cmp <= answer;
        end
    end

    // Of use in a bench only: a macro that freezes the sequencer at random.
    reg slow = 1'b0;
    always @(posedge clk) slow <= mho_hold();
    assign hold = slow;
endmodule
