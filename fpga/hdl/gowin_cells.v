// Models of cells of a GW1N or GW2A (Gowin UG285 for memories, UG286 for clocks, UG289 for pins), for simulation in two
// states. Netlists are made to use these names, since the models that come with Yosys cannot be compiled by Verilator
// (tristate pins), are empty (loops), or are not there (memories).

// A pin that is always driven or always read.
module mho_TBUF (inout O, input I, OEN);
  assign O = I;
endmodule

module mho_IOBUF (output O, inout IO, input I, OEN);
  assign O = IO;
endmodule

// A loop gives the clock of the simulation, which is that of the design, and is locked.
module mho_rPLL (
  output CLKOUT, CLKOUTP, CLKOUTD, CLKOUTD3, LOCK, input CLKIN, CLKFB, RESET, RESET_P,
  input [5:0] FBDSEL, IDSEL, ODSEL, input [3:0] PSDA, DUTYDA, FDLY
);
  parameter FCLKIN = "100.0", DYN_IDIV_SEL = "false", IDIV_SEL = 0, DYN_FBDIV_SEL = "false", FBDIV_SEL = 0;
  parameter DYN_ODIV_SEL = "false", ODIV_SEL = 8, PSDA_SEL = "0000", DYN_DA_EN = "false", DUTYDA_SEL = "1000";
  parameter CLKFB_SEL = "internal", CLKOUT_BYPASS = "false", CLKOUTP_BYPASS = "false", CLKOUTD_BYPASS = "false";
  parameter DEVICE = "GW1N-9C";
  assign CLKOUT = CLKIN;
  assign LOCK = 1'b1;
  assign {CLKOUTP, CLKOUTD, CLKOUTD3} = 3'd0;
endmodule

// Memories hold rows of 36 bits, of which those of 8 and less a byte leave every ninth bit out. Bytes of words with more
// than one are enabled by the lowest bits of the address. Output registers (READ_MODE = 1) are not modelled. What one
// port reads is not defined where the other one writes at that time: here these bits are 1010..., so that it is seen if
// they are used.
`define MHO_GOWIN_INITIAL \
    parameter [287:0] \
      INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0, INIT_RAM_04 = 0, INIT_RAM_05 = 0, \
      INIT_RAM_06 = 0, INIT_RAM_07 = 0, INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0, \
      INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0, INIT_RAM_10 = 0, INIT_RAM_11 = 0, \
      INIT_RAM_12 = 0, INIT_RAM_13 = 0, INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0, \
      INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0, INIT_RAM_1C = 0, INIT_RAM_1D = 0, \
      INIT_RAM_1E = 0, INIT_RAM_1F = 0, INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0, \
      INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0, INIT_RAM_28 = 0, INIT_RAM_29 = 0, \
      INIT_RAM_2A = 0, INIT_RAM_2B = 0, INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0, \
      INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0, INIT_RAM_34 = 0, INIT_RAM_35 = 0, \
      INIT_RAM_36 = 0, INIT_RAM_37 = 0, INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0, \
      INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0; \
    localparam [18431:0] INITIAL = { \
      INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38, \
      INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30, \
      INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28, \
      INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20, \
      INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18, \
      INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10, \
      INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08, \
      INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};

// Lists of 256 bits each.
`define MHO_GOWIN_NARROW \
    function [16383:0] narrow(input [18431:0] wide); \
      integer k; \
      for (k = 0; k < 64; k = k + 1) narrow[256 * k +: 256] = wide[288 * k +: 256]; \
    endfunction

// Ports of words of WIDTH bits, in rows of four times BYTE. A port that writes shows what it showed before (MODE 0), what
// it writes (1) or what was there (2).
module mho_gowin_memory #(
  parameter BYTE = 9, WIDTH_A = 18, WIDTH_B = 18, MODE_A = 0, MODE_B = 0, ASYNC = 0,
  parameter [18431:0] INITIAL = 0
) (
  input clock_a, enable_a, writes_a, reset_a, input [13:0] at_a, input [4 * BYTE - 1:0] data_a,
  output [4 * BYTE - 1:0] a,
  input clock_b, enable_b, writes_b, reset_b, input [13:0] at_b, input [4 * BYTE - 1:0] data_b,
  output [4 * BYTE - 1:0] b
);
  localparam ROW = 4 * BYTE;
  localparam [ROW - 1:0] UNKNOWN = {(ROW / 2){2'b10}};
  reg [ROW - 1:0] memory [0:511];
  integer k;
  initial for (k = 0; k < 512; k = k + 1) memory[k] = INITIAL[ROW * k +: ROW];

  // The first bit of a word in its row.
  function [5:0] first(input integer width, input [4:0] at);
    first = (width < 4 * BYTE ? 2 * BYTE * at[4] : 0) + (width < 2 * BYTE ? BYTE * at[3] : 0) +
            (width < 8 ? at[2:0] & -width : 0);
  endfunction

  // The bits of a word that are enabled.
  function [ROW - 1:0] enabled(input integer width, input [3:0] at);
    case (width)
      4 * BYTE: enabled = {{BYTE{at[3]}}, {BYTE{at[2]}}, {BYTE{at[1]}}, {BYTE{at[0]}}};
      2 * BYTE: enabled = {{(2 * BYTE){1'b0}}, {BYTE{at[1]}}, {BYTE{at[0]}}};
      default: enabled = ({{(ROW - 1){1'b0}}, 1'b1} << width) - 1;
    endcase
  endfunction

  wire [5:0] first_a = first(WIDTH_A, at_a[4:0]), first_b = first(WIDTH_B, at_b[4:0]);
  wire [ROW - 1:0] write_a = enable_a && writes_a ? enabled(WIDTH_A, at_a[3:0]) << first_a : {ROW{1'b0}};
  wire [ROW - 1:0] write_b = enable_b && writes_b ? enabled(WIDTH_B, at_b[3:0]) << first_b : {ROW{1'b0}};
  wire [ROW - 1:0] given_a = data_a << first_a, given_b = data_b << first_b;
  wire same = at_a[13:5] == at_b[13:5];
  wire [ROW - 1:0] clash_a = same ? write_b : {ROW{1'b0}}, clash_b = same ? write_a : {ROW{1'b0}};

  // What a port shows after an access, before the word is taken out of the row.
  function [ROW - 1:0] shown(input through, input [ROW - 1:0] row, clash, write, given);
    shown = (row & ~clash) | (UNKNOWN & clash);
    if (through) shown = (shown & ~write) | (given & write);
  endfunction

  wire looks_a = enable_a && (!writes_a || MODE_A != 0), looks_b = enable_b && (!writes_b || MODE_B != 0);
  reg [ROW - 1:0] row_a, row_b, out_a, out_b;
  always @(posedge clock_a) begin
    row_a = memory[at_a[13:5]];
    if (looks_a) out_a <= shown(MODE_A == 1, row_a, clash_a, write_a, given_a) >> first_a;
    if (|write_a) memory[at_a[13:5]] = (row_a & ~write_a) | (given_a & write_a);
  end
  always @(posedge clock_b) begin
    row_b = memory[at_b[13:5]];
    if (looks_b) out_b <= shown(MODE_B == 1, row_b, clash_b, write_b, given_b) >> first_b;
    if (|write_b) memory[at_b[13:5]] = (row_b & ~write_b) | (given_b & write_b);
  end

  // A port shows zeros from a reset on, and at first.
  wire clear_a = ASYNC != 0 && reset_a, clear_b = ASYNC != 0 && reset_b;
  reg zero_a = 1, zero_b = 1;
  always @(posedge clock_a, posedge clear_a)
    if (clear_a) zero_a <= 1;
    else if (reset_a || looks_a) zero_a <= reset_a;
  always @(posedge clock_b, posedge clear_b)
    if (clear_b) zero_b <= 1;
    else if (reset_b || looks_b) zero_b <= reset_b;

  localparam [ROW - 1:0] BITS_A = ({{ROW{1'b0}}, 1'b1} << WIDTH_A) - 1, BITS_B = ({{ROW{1'b0}}, 1'b1} << WIDTH_B) - 1;
  assign a = zero_a ? {ROW{1'b0}} : out_a & BITS_A;
  assign b = zero_b ? {ROW{1'b0}} : out_b & BITS_B;
endmodule

module mho_DPB (
  output [15:0] DOA, DOB, input [15:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
  input CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB, WREA, WREB
);
  parameter READ_MODE0 = 1'b0, READ_MODE1 = 1'b0, WRITE_MODE0 = 0, WRITE_MODE1 = 0, RESET_MODE = "SYNC";
  parameter BIT_WIDTH_0 = 16, BIT_WIDTH_1 = 16, BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000;
  `MHO_GOWIN_INITIAL
  generate
    if (READ_MODE0 != 0 || READ_MODE1 != 0) $error("mho_DPB: output registers are not modelled");
  endgenerate
  `MHO_GOWIN_NARROW
  wire [15:0] upper_a, upper_b;
  mho_gowin_memory #(
    .BYTE(8), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
    .ASYNC(RESET_MODE == "ASYNC"), .INITIAL({2048'd0, narrow(INITIAL)})
  ) memory (
    .clock_a(CLKA), .enable_a(CEA), .writes_a(WREA), .reset_a(RESETA), .at_a(ADA), .data_a({16'd0, DIA}),
    .a({upper_a, DOA}), .clock_b(CLKB), .enable_b(CEB), .writes_b(WREB), .reset_b(RESETB), .at_b(ADB),
    .data_b({16'd0, DIB}), .b({upper_b, DOB})
  );
endmodule

module mho_DPX9B (
  output [17:0] DOA, DOB, input [17:0] DIA, DIB, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
  input CLKA, CLKB, CEA, CEB, OCEA, OCEB, RESETA, RESETB, WREA, WREB
);
  parameter READ_MODE0 = 1'b0, READ_MODE1 = 1'b0, WRITE_MODE0 = 0, WRITE_MODE1 = 0, RESET_MODE = "SYNC";
  parameter BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18, BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000;
  `MHO_GOWIN_INITIAL
  generate
    if (READ_MODE0 != 0 || READ_MODE1 != 0) $error("mho_DPX9B: output registers are not modelled");
  endgenerate
  wire [17:0] upper_a, upper_b;
  mho_gowin_memory #(
    .BYTE(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0), .MODE_B(WRITE_MODE1),
    .ASYNC(RESET_MODE == "ASYNC"), .INITIAL(INITIAL)
  ) memory (
    .clock_a(CLKA), .enable_a(CEA), .writes_a(WREA), .reset_a(RESETA), .at_a(ADA), .data_a({18'd0, DIA}),
    .a({upper_a, DOA}), .clock_b(CLKB), .enable_b(CEB), .writes_b(WREB), .reset_b(RESETB), .at_b(ADB),
    .data_b({18'd0, DIB}), .b({upper_b, DOB})
  );
endmodule

module mho_SDPX9B (
  output [35:0] DO, input [35:0] DI, input [2:0] BLKSELA, BLKSELB, input [13:0] ADA, ADB,
  input CLKA, CLKB, CEA, CEB, OCE, RESETA, RESETB
);
  parameter READ_MODE = 1'b0, BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36, RESET_MODE = "SYNC";
  parameter BLK_SEL_0 = 3'b000, BLK_SEL_1 = 3'b000;
  `MHO_GOWIN_INITIAL
  generate
    if (READ_MODE != 0) $error("mho_SDPX9B: output registers are not modelled");
  endgenerate
  wire [35:0] none;
  mho_gowin_memory #(
    .BYTE(9), .WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .ASYNC(RESET_MODE == "ASYNC"),
    .INITIAL(INITIAL)
  ) memory (
    .clock_a(CLKA), .enable_a(CEA), .writes_a(1'b1), .reset_a(1'b0), .at_a(ADA), .data_a(DI), .a(none),
    .clock_b(CLKB), .enable_b(CEB), .writes_b(1'b0), .reset_b(RESETB), .at_b(ADB), .data_b(36'd0), .b(DO)
  );
endmodule

module mho_SP (
  output [31:0] DO, input [31:0] DI, input [2:0] BLKSEL, input [13:0] AD,
  input CLK, CE, OCE, RESET, WRE
);
  parameter READ_MODE = 1'b0, WRITE_MODE = 0, BIT_WIDTH = 32, BLK_SEL = 3'b000, RESET_MODE = "SYNC";
  `MHO_GOWIN_INITIAL
  generate
    if (READ_MODE != 0) $error("mho_SP: output registers are not modelled");
  endgenerate
  `MHO_GOWIN_NARROW
  wire [31:0] none;
  mho_gowin_memory #(
    .BYTE(8), .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE), .ASYNC(RESET_MODE == "ASYNC"),
    .INITIAL({2048'd0, narrow(INITIAL)})
  ) memory (
    .clock_a(CLK), .enable_a(CE), .writes_a(WRE), .reset_a(RESET), .at_a(AD), .data_a(DI), .a(DO),
    .clock_b(CLK), .enable_b(1'b0), .writes_b(1'b0), .reset_b(1'b0), .at_b(14'd0), .data_b(32'd0), .b(none)
  );
endmodule

module mho_SPX9 (
  output [35:0] DO, input [35:0] DI, input [2:0] BLKSEL, input [13:0] AD,
  input CLK, CE, OCE, RESET, WRE
);
  parameter READ_MODE = 1'b0, WRITE_MODE = 0, BIT_WIDTH = 36, BLK_SEL = 3'b000, RESET_MODE = "SYNC";
  `MHO_GOWIN_INITIAL
  generate
    if (READ_MODE != 0) $error("mho_SPX9: output registers are not modelled");
  endgenerate
  wire [35:0] none;
  mho_gowin_memory #(
    .BYTE(9), .WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE), .ASYNC(RESET_MODE == "ASYNC"), .INITIAL(INITIAL)
  ) memory (
    .clock_a(CLK), .enable_a(CE), .writes_a(WRE), .reset_a(RESET), .at_a(AD), .data_a(DI), .a(DO),
    .clock_b(CLK), .enable_b(1'b0), .writes_b(1'b0), .reset_b(1'b0), .at_b(14'd0), .data_b(36'd0), .b(none)
  );
endmodule
