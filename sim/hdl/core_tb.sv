// Top of a simulation: clock, reset, and a core or a mesh in its shell (core_bench.sv, mesh_bench.sv).
//
// `wake` changes when a batch has ended: cocotb sleeps in between.
`timescale 1ps / 1ps

module core_tb;
    reg clk = 1'b0;
    reg rst = 1'b1;
    reg [3:0] since_start = 4'd0;
    wire wake;

`ifdef MHO_BURST
    // Several cycles in one time step: the clock's own change schedules the next one, together with the flip-flops that it
    // has triggered and never ahead of them. What the simulator does for a time step, it then does once a burst. A burst ends
    // early where cocotb is woken, so that what it does takes no cycles.
    reg [15:0] edges = 16'd0;
    reg woken = 1'b0;
    always @(clk)
        if (edges != 16'd0 && wake == woken) begin
            edges <= edges - 16'd1;
            clk <= ~clk;
        end
    always #(2 * `MHO_BURST * `MHO_HALF_PS) begin
        edges <= 16'd2 * `MHO_BURST - 16'd1;
        woken <= wake;
        clk <= ~clk;
    end
`else
    always #(`MHO_HALF_PS) clk = ~clk;
`endif

    always @(posedge clk) begin
        if (since_start != 4'd15) since_start <= since_start + 4'd1;
        rst <= since_start < 4'd8;
    end

    `MHO_SHELL core_0 (.clk(clk), .rst(rst), .wake(wake));
endmodule
