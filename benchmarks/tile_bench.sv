// Runs a program in a tile with its core: loads it over the register bus, sends blocks as fast as they are acknowledged,
// takes all that comes, and counts cycles between two products. The comparator of the macro says a number of its own.
module bench;
  localparam int FLITS = `FLITS, FIRST = `FIRST, LAST = `LAST, WRITES = `WRITES;
  logic clk = 0, rst = 1;
  always #1 clk = ~clk;
  logic [51:0] writes [WRITES];
  initial $readmemh("writes.hex", writes);

  logic request_valid, request_ready, response_valid, i_valid, acknowledge_valid, o_valid, op_goes, code_goes;
  logic word_goes, precharge;
  logic [63:0] payload = 64'h1234_5678_9abc_def1;
  logic [47:0] analog;
  logic [2:0] busy;
  logic retire;
  logic [8:0] pc;
  int at = 0, begun = 0, acked = 0, flit = 0, products = 0;
  longint cycle = 0, from = 0, analog_from = 0;
  longint codes = 0, words = 0, flits = 0, loading = 0, vector = 0, sending = 0, idle = 0;

  dut dut (
    .clk, .rst, .bus_request_valid(request_valid), .bus_request_ready(request_ready),
    .bus_request_payload({4'hf, writes[at < WRITES ? at : 0][31:0], 1'b1, writes[at < WRITES ? at : 0][50:34]}),
    .bus_response_valid(response_valid), .bus_response_ready(1'b1), .bus_response_payload(),
    .i_valid(i_valid), .i_payload({4'd0, payload & 64'h0007_0007_0007_0007}), .o_valid(o_valid), .o_ready(1'b1), .o_payload(),
    .acknowledge_valid(acknowledge_valid), .acknowledge_ready(1'b1), .acknowledge_payload(),
    .cmp({256{1'b0}}), .op_goes, .code_goes, .word_goes, .precharge, .analog, .busy, .retire, .pc);
  assign request_valid = at < WRITES && !rst;
  assign i_valid = at == WRITES && cycle > 2 * WRITES + 1000 && (flit != 0 || begun - acked < 2);

  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle == 3) rst <= 0;
    if (request_valid && request_ready) at <= at + 1;
    if (i_valid) begin
      payload <= {payload[62:0], payload[63] ^ payload[62] ^ payload[60] ^ payload[59]};
      flit <= flit == FLITS - 1 ? 0 : flit + 1;
      if (flit == 0) begun <= begun + 1;
    end
    if (acknowledge_valid) acked <= acked + 1;
    if (products >= FIRST) begin
      codes <= codes + code_goes;
      words <= words + word_goes;
      flits <= flits + o_valid;
      loading <= loading + busy[0];
      vector <= vector + busy[1];
      sending <= sending + busy[2];
    end
`ifdef TRACE
    if (products >= FIRST && products < FIRST + 12 && (retire || precharge || op_goes || word_goes || o_valid))
      $display("%0d %s %0d %s %s %s %s busy %b", cycle, retire ? "retire" : "-", pc, precharge ? "START" : "",
               op_goes ? "op" : "", word_goes ? "word" : "", o_valid ? "flit" : "", busy);
`endif
    if (precharge) begin
      products <= products + 1;
      if (products == FIRST - 1) begin
        from <= cycle;
        analog_from <= analog;
      end
      if (products == LAST - 1) begin
        $display("cycles %0d analog %0d codes %0d words %0d flits %0d loading %0d vector %0d sending %0d",
                 cycle - from, analog - analog_from, codes, words, flits, loading, vector, sending);
        $finish;
      end
    end
    if (cycle > `LIMIT) begin
      $display("stuck after %0d products, %0d blocks", products, begun);
      $finish;
    end
  end
endmodule
