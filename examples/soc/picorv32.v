// The smallest computer with a tile in it: PicoRV32, 64 KiB of memory, a console, the tile at 0x80000000, for any Verilog simulator.
// +firmware=FILE is the memory as $readmemh reads it.
module picorv32_soc (
  input wire clk,
  input wire rst
);
  wire [31:0] adr, wdat, tile_dat;
  wire [3:0] sel;
  wire we, stb, cyc, trap, irq, tile_ack, tile_err;
  reg ack = 1'b0;
  reg [31:0] rdat, bus_cycles = 32'd0;
  reg [31:0] memory [0:16383];
  reg [8*1024-1:0] file;
  initial if ($value$plusargs("firmware=%s", file)) $readmemh(file, memory);

  wire at_tile = adr[31:28] == 4'h8;
  wire at_io = adr[31:28] == 4'hf;

  picorv32_wb #(
    .ENABLE_MUL(1), .ENABLE_DIV(1), .ENABLE_IRQ(0), .STACKADDR(32'h1_0000), .PROGADDR_RESET(0)
  ) cpu (
    .trap(trap), .wb_rst_i(rst), .wb_clk_i(clk),
    .wbm_adr_o(adr), .wbm_dat_o(wdat), .wbm_dat_i(at_tile ? tile_dat : rdat), .wbm_we_o(we), .wbm_sel_o(sel),
    .wbm_stb_o(stb), .wbm_ack_i(at_tile ? tile_ack : ack), .wbm_cyc_o(cyc),
    .pcpi_wr(1'b0), .pcpi_rd(32'b0), .pcpi_wait(1'b0), .pcpi_ready(1'b0), .irq(32'b0)
  );

  mho_chip_wb tile (
    .clk(clk), .rst(rst), .wb_cyc_i(cyc & at_tile), .wb_stb_i(stb & at_tile), .wb_we_i(we), .wb_sel_i(sel),
    .wb_adr_i(adr[22:0]), .wb_dat_i(wdat), .wb_ack_o(tile_ack), .wb_err_o(tile_err), .wb_dat_o(tile_dat),
    .irq(irq), .programming_enable(1'b1), .power_off()
  );

`ifdef MHO_MODELS
  `MHO_MODELS models (.clk(clk));
`endif

  always @(posedge clk) begin
    ack <= cyc & stb & ~ack & ~rst & ~at_tile;
    rdat <= !at_io ? memory[adr[15:2]] : adr[2] ? bus_cycles : {31'b0, irq};
    if (cyc & stb & at_tile) bus_cycles <= bus_cycles + 32'd1;
    if (cyc & stb & we & ~ack & ~at_tile) begin
      if (at_io) begin
        if (adr[2]) $finish;
        else $write("%c", wdat[7:0]);
      end else begin
        if (sel[0]) memory[adr[15:2]][7:0] <= wdat[7:0];
        if (sel[1]) memory[adr[15:2]][15:8] <= wdat[15:8];
        if (sel[2]) memory[adr[15:2]][23:16] <= wdat[23:16];
        if (sel[3]) memory[adr[15:2]][31:24] <= wdat[31:24];
      end
    end
    if (~rst & (trap | tile_err)) begin
      $display("%s at %h", trap ? "trap" : "the bus has answered with an error", adr);
      $finish;
    end
  end
endmodule
