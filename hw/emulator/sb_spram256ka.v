// Behaviour of the single-ported RAM of an iCE40 UP5K, for simulation: the name and the ports are the vendor's.
module SB_SPRAM256KA (
    input  wire [13:0] ADDRESS,
    input  wire [15:0] DATAIN,
    input  wire [3:0]  MASKWREN,
    input  wire        WREN,
    input  wire        CHIPSELECT,
    input  wire        CLOCK,
    input  wire        STANDBY,
    input  wire        SLEEP,
    input  wire        POWEROFF,
    output reg  [15:0] DATAOUT
);
    reg [15:0] memory [0:16383];
    wire [15:0] mask = {{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};
    // POWEROFF is active low.
    wire on = CHIPSELECT & POWEROFF & ~STANDBY & ~SLEEP;

    always @(posedge CLOCK) begin
        if (on & WREN) memory[ADDRESS] <= (memory[ADDRESS] & ~mask) | (DATAIN & mask);
        if (on & ~WREN) DATAOUT <= memory[ADDRESS];
    end
endmodule
