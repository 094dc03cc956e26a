// Model of a foundry's 16 x 16 array. A charge is 2 a + 1; a decrement takes 2 max(1, rint(STEP load / 2**14)) << SC;
// a pulse moves a cell by DAC at its end. While PROG, RD or a pulse is on, nothing multiplies; a pulse spoils a read.
module FND_RRAM16 (
`ifdef USE_POWER_PINS
  inout VDDA, VPP, VSSA,
`endif
  input CK, DIR, PRE_B, SMP, input [0:2] CTL, input [2:0] SC, input [15:0] STEP,
  input [15:0] XP, XN, input [0:15] YP, input [1:16] YN, input [7:0] WLE_HI, input [0:7] WLE_LO,
  output reg [0:15] SIGN_B, input PROG, ROW_EN, SETP, RST_B, RD, input [3:0] ROW, input [1:0] COL_HI, COL_LO,
  input [5:0] DAC, output reg [9:0] CODE, input SCAN_IN, SCAN_EN, input [0:3] TRIM, output SCAN_OUT, inout [0:3] ATEST
);
  integer cells [0:255], charge [0:15], load [0:15], x, y, g, at;
  reg [63:0] step;
  wire pulse = SETP | !RST_B;
  reg [15:0] minus;
  reg was_set, was_reset;
  assign SCAN_OUT = SCAN_IN & SCAN_EN;
  initial for (x = 0; x < 256; x = x + 1) cells[x] = 1 + (7 * x) % 23;

  always @(posedge CK) begin
    if (!PRE_B) for (x = 0; x < 16; x = x + 1) charge[x] = 1;
    if (CTL[2]) for (x = 0; x < 16; x = x + 1) begin
      step = STEP * load[x];
      step = (step + 8191 + step[14]) >> 14;
      step = (step == 0 ? 2 : 2 * step) << SC;
      charge[x] = charge[x] + (minus[x] ? step : -step);
    end
    if (SMP) for (x = 0; x < 16; x = x + 1) load[x] = 0;
    if (SMP && !PROG && !RD && !pulse) for (x = 0; x < 16; x = x + 1) for (y = 0; y < 16; y = y + 1) begin
      g = (x > 7 ? WLE_HI[x - 8] : WLE_LO[x]) ? 2 * cells[16 * x + y] : 0;
      if (DIR) load[x] = load[x] + g / 2; else load[y] = load[y] + g / 2;
      if (DIR) charge[x] = charge[x] + (YP[y] ? g : 0) - (YN[y + 1] ? g : 0);
      else charge[y] = charge[y] + (XP[x] ? g : 0) - (XN[x] ? g : 0);
    end
    if (CTL[0]) for (x = 0; x < 16; x = x + 1) SIGN_B[x] <= charge[x] >= 0;
    if (CTL[0] && CTL[1]) for (x = 0; x < 16; x = x + 1) minus[x] = charge[x] < 0;
    was_set <= SETP;
    was_reset <= !RST_B;
    at = 16 * ROW + {COL_HI, COL_LO};
    if (PROG && ROW_EN && was_set && !SETP) cells[at] = cells[at] + DAC;
    if (PROG && ROW_EN && was_reset && RST_B) cells[at] = cells[at] > DAC ? cells[at] - DAC : 0;
    if (PROG && ROW_EN && RD) CODE <= pulse ? 0 : cells[at] > 1023 ? 1023 : cells[at];
  end
endmodule
