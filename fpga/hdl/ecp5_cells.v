// Models of the cells of an ECP5 that Yosys has as black boxes, that Verilator cannot compile (tristate pins) or makes
// slow, for simulation in two states and in the modes that Yosys emits. Netlists are made to use these names.

// Block RAM of 18 kbit (Lattice FPGA-TN-02204), without output registers. Each port sees it in words of 1, 2, 4, 9, 18
// or 36 bits; with words of 36 bits port A writes and port B reads, and the upper half is at the pins of port B. Data of
// 1, 2 and 4 bits leave every ninth bit out. Bytes of 9 bits are enabled by the lowest bits of the address. What one
// port reads is not defined where the other one writes at that time: here these bits are 1010..., so that it is seen
// if they are used.
module mho_DP16KD (
  input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
        DIA0,
  input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
         DOA0,
  input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
        DIB0,
  input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
         DOB0
);
  parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18, REGMODE_A = "NOREG", REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED";
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", CLKAMUX = "CLKA", CLKBMUX = "CLKB";
  parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
  // 16 words each, of 18 bits in steps of 20.
  parameter [319:0]
    INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0, INITVAL_06 = 0,
    INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0,
    INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0,
    INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0, INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0,
    INITVAL_1C = 0, INITVAL_1D = 0, INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
    INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0,
    INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0, INITVAL_30 = 0,
    INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0, INITVAL_37 = 0,
    INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0, INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0,
    INITVAL_3F = 0;
  localparam [20479:0] INITIAL = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
    INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
    INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
    INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
    INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
    INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
    INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
    INITVAL_00};
  generate
    if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG") $error("mho_DP16KD: output registers are not modelled");
    if (CSDECODE_A != "0b000" || CSDECODE_B != "0b000") $error("mho_DP16KD: chip select is not modelled");
    if (DATA_WIDTH_A == 36 && WRITEMODE_A != "NORMAL") $error("mho_DP16KD: words of 36 bits are written or read");
  endgenerate

  reg [35:0] memory [0:511];
  integer k;
  initial for (k = 0; k < 512; k = k + 1) memory[k] = {INITIAL[40 * k + 20 +: 18], INITIAL[40 * k +: 18]};

  // The first bit of a word in its row of 36 bits.
  function [5:0] first(input integer width, input [4:0] at);
    first = (width < 36 ? 18 * at[4] : 0) + (width < 18 ? 9 * at[3] : 0) + (width < 9 ? at[2:0] & -width : 0);
  endfunction

  // The bits of a word that are enabled.
  function [35:0] enabled(input integer width, input [3:0] at);
    case (width)
      36: enabled = {{9{at[3]}}, {9{at[2]}}, {9{at[1]}}, {9{at[0]}}};
      18: enabled = {{9{at[1]}}, {9{at[0]}}};
      default: enabled = (36'd1 << width) - 1;
    endcase
  endfunction

  wire clock_a = CLKA ^ (CLKAMUX == "INV"), clock_b = CLKB ^ (CLKBMUX == "INV");
  wire [13:0] at_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] at_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
                        DIA3, DIA2, DIA1, DIA0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
                        DIB3, DIB2, DIB1, DIB0};
  wire reset_a = RESETMODE == "SYNC" && RSTA, reset_b = RESETMODE == "SYNC" && RSTB;
  wire [5:0] first_a = first(DATA_WIDTH_A, at_a[4:0]), first_b = first(DATA_WIDTH_B, at_b[4:0]);
  wire [35:0] write_a = CEA && WEA && !reset_a ? enabled(DATA_WIDTH_A, at_a[3:0]) << first_a : 36'd0;
  wire [35:0] write_b = CEB && WEB && !reset_b ? enabled(DATA_WIDTH_B, at_b[3:0]) << first_b : 36'd0;
  wire [35:0] given_a = (DATA_WIDTH_A == 36 ? {data_b, data_a} : {18'd0, data_a}) << first_a;
  wire [35:0] given_b = {18'd0, data_b} << first_b;
  wire same = at_a[13:5] == at_b[13:5];
  wire [35:0] clash_a = same ? write_b : 36'd0, clash_b = same ? write_a : 36'd0;

  // What a port shows after an access, before the word is taken out of the row.
  function [35:0] shown(input through, input [35:0] row, clash, write, given);
    shown = (row & ~clash) | (36'hAAAAAAAAA & clash);
    if (through) shown = (shown & ~write) | (given & write);
  endfunction

  wire looks_a = CEA && !reset_a && (!WEA || WRITEMODE_A != "NORMAL");
  wire looks_b = CEB && !reset_b && (!WEB || WRITEMODE_B != "NORMAL");
  reg [35:0] row_a, row_b, out_a, out_b;
  always @(posedge clock_a) begin
    row_a = memory[at_a[13:5]];
    if (looks_a) out_a <= shown(WRITEMODE_A == "WRITETHROUGH", row_a, clash_a, write_a, given_a) >> first_a;
    if (|write_a) memory[at_a[13:5]] = (row_a & ~write_a) | (given_a & write_a);
  end
  always @(posedge clock_b) begin
    row_b = memory[at_b[13:5]];
    if (looks_b) out_b <= shown(WRITEMODE_B == "WRITETHROUGH", row_b, clash_b, write_b, given_b) >> first_b;
    if (|write_b) memory[at_b[13:5]] = (row_b & ~write_b) | (given_b & write_b);
  end

  // A port shows zeros from a reset on, and at first.
  wire clear_a = RESETMODE == "ASYNC" && RSTA, clear_b = RESETMODE == "ASYNC" && RSTB;
  reg zero_a = 1, zero_b = 1;
  always @(posedge clock_a, posedge clear_a)
    if (clear_a) zero_a <= 1;
    else if (reset_a || looks_a) zero_a <= reset_a;
  always @(posedge clock_b, posedge clear_b)
    if (clear_b) zero_b <= 1;
    else if (reset_b || looks_b) zero_b <= reset_b;

  wire [35:0] a = zero_a ? 36'd0 : out_a & ((37'd1 << DATA_WIDTH_A) - 1);
  wire [35:0] b = zero_b ? 36'd0 : out_b & ((37'd1 << DATA_WIDTH_B) - 1);
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
          DOA0} = DATA_WIDTH_B == 36 ? b[17:0] : a[17:0];
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
          DOB0} = DATA_WIDTH_B == 36 ? b[35:18] : b[17:0];
endmodule

// A table without branches, which is several times as fast as choices.
module mho_LUT4 (input A, B, C, D, output Z);
  parameter [15:0] INIT = 16'h0000;
  assign Z = INIT[{D, C, B, A}];
endmodule

// A pin that is an input or an output.
module mho_TRELLIS_IO (inout B, input I, T, output O);
  parameter DIR = "INPUT";
  assign O = B;
  generate
    if (DIR == "OUTPUT") assign B = I;
    else if (DIR != "INPUT") $error("mho_TRELLIS_IO: pins of both directions are not modelled");
  endgenerate
endmodule

// A loop gives the clock of the simulation, which is that of the design, and is locked.
module mho_EHXPLLL (
  input CLKI, CLKFB, RST, STDBY, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC,
  input ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3, output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
  parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0, CLKOP_ENABLE = "ENABLED";
  parameter FEEDBK_PATH = "CLKOP", OUTDIVIDER_MUXA = "DIVA", STDBY_ENABLE = "DISABLED", DPHASE_SOURCE = "DISABLED";
  parameter PLLRST_ENA = "DISABLED", INTFB_WAKE = "DISABLED";
  assign CLKOP = CLKI;
  assign REFCLK = CLKI;
  assign LOCK = 1'b1;
  assign INTLOCK = 1'b1;
  assign {CLKOS, CLKOS2, CLKOS3, CLKINTFB} = 4'd0;
endmodule

// Multiplier (Lattice FPGA-TN-02205) without registers and without neighbours.
module mho_MULT18X18D (
  input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
  input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
  input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
  output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
  output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} =
    {{18{SIGNEDA & a[17]}}, a} * {{18{SIGNEDB & b[17]}}, b};
endmodule
