// A tile, with its macro and its notes if these are beside it, as it is compiled once for all tiles of a simulation (mesh_tiles.cpp). The names are
// put in before it is read (sim/build/tile_shell.py).
`timescale 1ps / 1ps

// verilator tracing_off
module tile_shell (
    input wire clk,
    input wire rst,
    input wire [31:0] number,
    input wire tracing`MHO_PORTS
);
`MHO_WIRES
    // verilator tracing_on
    `MHO_TILE
    `MHO_BESIDE
endmodule
