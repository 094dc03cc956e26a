// Strobes of the core to commands of CMD_ARRAY16. A sample sends the lines and waits; the first compare reads all codes,
// and comparing and counting down is arithmetic from then on. Synthesised with the core.
module cmd_wrapper (
`ifdef USE_POWER_PINS
  inout VDD, VSS,
`endif
  input clk, rst, backward, input [15:0] bl_pos, bl_neg, sl_pos, sl_neg, wl_en,
  input precharge, sample, compare, latch, decrement, input [2:0] dec_scale, input [15:0] step_code,
  output [15:0] negative, output hold
);
  localparam IDLE = 0, CLEAR = 1, POS = 2, NEG = 3, WORDS = 4, MAC = 5, READ = 6;
  reg [2:0] command;
  reg [3:0] line;
  reg go, fresh;  // fresh: sampled, and the codes not yet read
  wire done;
  wire [15:0] code;
  wire [15:0] data = command == POS ? (backward ? sl_pos : bl_pos) : command == NEG ? (backward ? sl_neg : bl_neg)
                   : command == WORDS ? wl_en : command == MAC ? {15'd0, backward} : {12'd0, line};
  CMD_ARRAY16 array (
`ifdef USE_POWER_PINS
    .VDD(VDD), .VSS(VSS),
`endif
    .CLK(clk), .GO(go), .COMMAND(command), .DATA(data), .DONE(done), .CODE(code)
  );

  // One command after the other: the lines and MAC for a sample, all lines for the codes.
  always @(posedge clk)
    if (rst) begin
      command <= IDLE;
      go <= 1'b0;
      fresh <= 1'b0;
    end else if (command == IDLE) begin
      command <= precharge ? CLEAR : sample ? POS : compare & fresh ? READ : IDLE;
      go <= precharge | sample | compare & fresh;
      fresh <= sample | fresh & ~compare;
      line <= 4'd0;
    end else begin
      go <= 1'b0;
      if (done && !go) begin
        if (command == READ) line <= line + 4'd1;
        if (command == CLEAR || command == MAC || (command == READ && line == 4'd15)) command <= IDLE;
        else begin
          go <= 1'b1;
          if (command != READ) command <= command + 3'd1;
        end
      end
    end
  assign hold = command != IDLE;

  // What is left of each code, twice and plus one so that it is never 0, and the direction of the decrements.
  genvar k;
  generate for (k = 0; k < 16; k = k + 1) begin : lines
    reg signed [25:0] charge;
    reg minus;
    wire signed [25:0] step = {9'd0, step_code, 1'b0} << dec_scale;
    assign negative[k] = charge[25];
    always @(posedge clk)
      if (command == READ && done && !go && line == k) begin
        charge <= {{9{code[15]}}, code, 1'b1};
        minus <= code[15];
      end else if (decrement) charge <= minus ? charge + step : charge - step;
      else if (compare && latch && !fresh) minus <= charge[25];
  end endgenerate
endmodule
