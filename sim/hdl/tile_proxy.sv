// What stands for a tile in the Verilog of its mesh: the tile itself is a model of its own (mesh_tiles.cpp). It has the ports
// of the tile; the names are put in before it is read (sim/build/tile_shell.py).
//
// `ready` is what may go to the neighbours: it alone reaches outputs in the same cycle. `tick` changes where outputs did. For
// waves the tile is told all inputs, and all that it puts out is here (tile_waves.h).
`timescale 1ps / 1ps

// verilator tracing_off
module `MHO_TILE (
    input wire clk,
    input wire rst`MHO_PORTS
);
    import "DPI-C" function chandle mho_tile_create(input string path);
    import "DPI-C" function void mho_tile_arrive(input chandle tile, input int channel, input bit [255:0] payload);
    import "DPI-C" function bit mho_tile_step(
        input chandle tile, input bit rst, input int place, input longint unsigned ready);
    import "DPI-C" function longint unsigned mho_tile_taken(input chandle tile, input bit tick);
    import "DPI-C" function longint unsigned mho_tile_offer(input chandle tile, input longint unsigned ready, input bit tick);
    import "DPI-C" function void mho_tile_payload(input chandle tile, input int channel, output bit [255:0] payload);

    chandle tile;
    initial tile = mho_tile_create($sformatf("%m"));

    wire [63:0] ready = {`MHO_READY};
    reg [63:0] takes;
    reg tick = 1'b0;
    reg [63:0] offers;
`MHO_PAYLOADS
    always @(posedge clk) begin
`MHO_ARRIVE
        tick <= tick ^ mho_tile_step(tile, rst, `MHO_PLACE, ready);
    end

    // Asked for behind the edge, when those of all tiles are under way.
    always @* takes = mho_tile_taken(tile, tick);

    always @* begin
        offers = mho_tile_offer(tile, ready, tick);
`MHO_OFFERED
    end
`MHO_WATCHED
`MHO_OUTPUTS
endmodule
// verilator tracing_on
