// A core as an extension of the instruction set: its streams behind the custom-function interface of VexRiscv. The chip has
// core.trim = false and programming.engine = false; the instructions are those of firmware/mho_cfu.h.
module Cfu (
  input  wire        cmd_valid,
  output wire        cmd_ready,
  input  wire [9:0]  cmd_payload_function_id,
  input  wire [31:0] cmd_payload_inputs_0,
  input  wire [31:0] cmd_payload_inputs_1,
  output wire        rsp_valid,
  input  wire        rsp_ready,
  output wire [31:0] rsp_payload_outputs_0,
  input  wire        clk,
  input  wire        reset
);
  localparam NUMBER = 3'd0, START = 3'd1, GIVE = 3'd2, TAKE = 3'd3, MASK = 3'd4, BUSY = 3'd5;
  wire [2:0] what = cmd_payload_function_id[2:0];
  reg [63:0] number;
  reg half;  // the first of two words of codes has been taken
  wire op_ready, i_ready, o_valid, mask_ready, busy;
  wire [31:0] o_payload;

  wire ready = what == START ? op_ready : what == GIVE ? i_ready & half : what == TAKE ? o_valid : what == MASK ? mask_ready : 1'b1;
  assign rsp_valid = cmd_valid & ready;
  assign cmd_ready = rsp_ready & ready;
  assign rsp_payload_outputs_0 = what == TAKE ? o_payload : {31'b0, busy};

  always @(posedge clk) begin
    if (cmd_valid & cmd_ready & what == NUMBER) number <= {cmd_payload_inputs_1, cmd_payload_inputs_0};
    // An instruction goes on for as long as its answer is not taken; its words are taken once.
    if (reset | (cmd_valid & cmd_ready)) half <= 1'b0;
    else if (cmd_valid & what == GIVE & i_ready) half <= 1'b1;
  end

  mho_core core (
    .clk(clk), .rst(reset), .soft_reset(1'b0),
    .op_payload({number, cmd_payload_inputs_1[5:0], cmd_payload_inputs_0}),
    .op_valid(cmd_valid & what == START & rsp_ready), .op_ready(op_ready),
    .i_payload(half ? cmd_payload_inputs_1 : cmd_payload_inputs_0),
    .i_valid(cmd_valid & what == GIVE & (rsp_ready | ~half)), .i_ready(i_ready),
    .o_payload(o_payload), .o_valid(o_valid), .o_ready(cmd_valid & what == TAKE & rsp_ready),
    .mask_payload({cmd_payload_inputs_1, cmd_payload_inputs_0[5:0]}),
    .mask_valid(cmd_valid & what == MASK & rsp_ready), .mask_ready(mask_ready), .status_busy(busy)
  );
endmodule
