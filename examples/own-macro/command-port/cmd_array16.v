// Model of a 16 x 16 array behind a command port: GO with COMMAND and DATA, DONE when it has carried it out.
// Its converter gives the accumulated product of a line as a signed number of 16 bits.
module CMD_ARRAY16 (
`ifdef USE_POWER_PINS
  inout VDD, VSS,
`endif
  input CLK, GO, input [2:0] COMMAND, input [15:0] DATA, output DONE, output reg [15:0] CODE
);
  integer charge [0:15], x, y, g;
  reg [15:0] pos, neg, words;
  reg [3:0] wait_cycles;
  assign DONE = wait_cycles == 0;
  initial wait_cycles = 0;

  always @(posedge CLK)
    if (GO) begin
      wait_cycles <= COMMAND == 5 ? 9 : 2;  // a product takes its time
      case (COMMAND)
        1: for (x = 0; x < 16; x = x + 1) charge[x] = 0;
        2: pos = DATA;
        3: neg = DATA;
        4: words = DATA;
        5: for (x = 0; x < 16; x = x + 1) for (y = 0; y < 16; y = y + 1) begin
          g = words[x] ? 1 + (5 * x + 3 * y) % 13 : 0;
          if (DATA[0]) charge[x] = charge[x] + (pos[y] ? g : 0) - (neg[y] ? g : 0);
          else charge[y] = charge[y] + (pos[x] ? g : 0) - (neg[x] ? g : 0);
        end
        6: CODE <= charge[DATA[3:0]];
        default: ;
      endcase
    end else if (wait_cycles != 0) wait_cycles <= wait_cycles - 1;
endmodule
