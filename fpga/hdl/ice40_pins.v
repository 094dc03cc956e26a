// Models of the cells of an iCE40 around its pins, for simulation in two states. Netlists are made to use these names,
// since the models that come with Yosys cannot be compiled by Verilator (tristate pins) or are empty (loops).

module mho_SB_IO (inout PACKAGE_PIN, input LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE,
                  D_OUT_0, D_OUT_1, output D_IN_0, D_IN_1);
  parameter [5:0] PIN_TYPE = 6'b000000;
  parameter [0:0] PULLUP = 1'b0;
  parameter [0:0] NEG_TRIGGER = 1'b0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign D_IN_0 = PACKAGE_PIN;
  assign D_IN_1 = 1'b0;
  generate
    if (PIN_TYPE[5:2] != 4'b0000) assign PACKAGE_PIN = D_OUT_0;
  endgenerate
endmodule

module mho_SB_GB_IO (inout PACKAGE_PIN, output GLOBAL_BUFFER_OUTPUT, input LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK,
                     OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0, D_OUT_1, output D_IN_0, D_IN_1);
  parameter [5:0] PIN_TYPE = 6'b000000;
  parameter [0:0] PULLUP = 1'b0;
  parameter [0:0] NEG_TRIGGER = 1'b0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
  assign D_IN_0 = PACKAGE_PIN;
  assign D_IN_1 = 1'b0;
endmodule

// A loop gives the clock of the simulation, which is that of the design, and is locked.
module mho_SB_PLL40_PAD (input PACKAGEPIN, RESETB, BYPASS, EXTFEEDBACK, LATCHINPUTVALUE, SDI, SCLK,
                         input [7:0] DYNAMICDELAY, output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO);
  parameter FEEDBACK_PATH = "SIMPLE", DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED", DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED";
  parameter PLLOUT_SELECT = "GENCLK", SHIFTREG_DIV_MODE = 0, FDA_FEEDBACK = 0, FDA_RELATIVE = 0;
  parameter DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0, ENABLE_ICEGATE = 0, TEST_MODE = 0;
  assign PLLOUTCORE = PACKAGEPIN;
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = 1'b1;
  assign SDO = 1'b0;
endmodule

module mho_SB_PLL40_CORE (input REFERENCECLK, RESETB, BYPASS, EXTFEEDBACK, LATCHINPUTVALUE, SDI, SCLK,
                          input [7:0] DYNAMICDELAY, output PLLOUTCORE, PLLOUTGLOBAL, LOCK, SDO);
  parameter FEEDBACK_PATH = "SIMPLE", DELAY_ADJUSTMENT_MODE_FEEDBACK = "FIXED", DELAY_ADJUSTMENT_MODE_RELATIVE = "FIXED";
  parameter PLLOUT_SELECT = "GENCLK", SHIFTREG_DIV_MODE = 0, FDA_FEEDBACK = 0, FDA_RELATIVE = 0;
  parameter DIVR = 0, DIVF = 0, DIVQ = 0, FILTER_RANGE = 0, ENABLE_ICEGATE = 0, TEST_MODE = 0;
  assign PLLOUTCORE = REFERENCECLK;
  assign PLLOUTGLOBAL = REFERENCECLK;
  assign LOCK = 1'b1;
  assign SDO = 1'b0;
endmodule
