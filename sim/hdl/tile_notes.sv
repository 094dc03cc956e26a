// What is noted of a tile for the host of its mesh (mesh_tiles.cpp): operations of the core and the words that come of them,
// instructions that retire, and, where somebody asks, who is at work.
`timescale 1ps / 1ps

module tile_notes (
    input wire clk,
    input wire rst,
    input wire [31:0] number,
    input wire tracing,
    input wire op_valid,
    input wire [63:0] op_id,
    input wire word_valid,
    input wire [31:0] word,
    input wire retire,
    input wire [8:0] pc,
    input wire [3:0] cycles_analog,
    input wire sends,
    input wire computes,
    input wire loads
);
    import "DPI-C" function void mho_host_op(input int tile, input longint unsigned op_id);
    import "DPI-C" function void mho_host_word(input int tile, input int unsigned word);
    import "DPI-C" function void mho_host_retire(input int tile, input int unsigned pc);
    import "DPI-C" function void mho_host_state(input int tile, input int state);

    reg [3:0] state = 4'd0, analog = 4'd0;
    wire [3:0] state_now = {cycles_analog != analog, sends, computes, loads};

    always @(posedge clk)
        if (!rst) begin
            if (op_valid) mho_host_op(number, op_id);
            if (word_valid) mho_host_word(number, word);
            if (retire) mho_host_retire(number, {23'd0, pc});
            if (tracing) begin
                analog <= cycles_analog;
                if (state_now != state) begin
                    state <= state_now;
                    mho_host_state(number, {28'd0, state_now});
                end
            end
        end
endmodule
