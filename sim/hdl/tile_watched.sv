    // With waves, in tile_proxy.sv: what tells a tile its inputs, and what it puts out that is of no channel.
    import "DPI-C" function void mho_tile_input(input chandle tile, input int port, input longint unsigned value);
    import "DPI-C" function void mho_tile_wide_input(input chandle tile, input int port, input bit [255:0] value);
    import "DPI-C" function longint unsigned mho_tile_output(input chandle tile, input int port, input bit tick);
    import "DPI-C" function void mho_tile_wide_output(
        input chandle tile, input int port, input bit tick, output bit [255:0] value);
    import "DPI-C" function void mho_tile_fall(input chandle tile);

    always @(negedge clk) mho_tile_fall(tile);
