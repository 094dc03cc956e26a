// Shell around one generated core: a feeder and a catcher for its streams (streams.cpp).
//
// Nothing of it is an input port of the simulation and everything that drives the core is a flip-flop, so that the
// simulator evaluates the core once a clock edge. `wake` changes when a batch has ended. Its names and
// widths are defined before (sim/build/shells.py).
`timescale 1ps / 1ps

module `MHO_SHELL (
    input wire clk,
    input wire rst,
    output reg wake
);
    import "DPI-C" function chandle mho_bench_create(input string path);
    import "DPI-C" function bit mho_next_op(input chandle handle, output bit [127:0] payload);
    import "DPI-C" function bit mho_next_mask(input chandle handle, output int unsigned address, output int unsigned data);
    import "DPI-C" function bit mho_next_input(input chandle handle, output int unsigned payload);
    import "DPI-C" function bit mho_ready(input chandle handle);
    import "DPI-C" function void mho_output(input chandle handle, input int unsigned payload);
    import "DPI-C" function void mho_done(input chandle handle,
        input longint unsigned total, input longint unsigned analog, input longint unsigned hold);
    import "DPI-C" function int mho_poll(input chandle handle, input int state);

    chandle handle;
    initial begin
        wake = 1'b0;
        handle = mho_bench_create($sformatf("%m"));
    end

    reg [`MHO_OP_BITS-1:0] op_payload;
    reg op_valid = 1'b0;
    wire op_ready;
    reg [`MHO_MASK_BITS-1:0] mask_payload;
    reg mask_valid = 1'b0;
    wire mask_ready;
    reg [31:0] i_payload;
    reg i_valid = 1'b0;
    wire i_ready;
    wire [31:0] o_payload;
    wire o_valid;
    reg o_ready = 1'b0;
    wire busy, done, error;
    wire [47:0] cycles_total, cycles_analog, cycles_hold;

    // A word of a mask is {data, address}.
    localparam int ADDRESS_BITS = `MHO_MASK_BITS - 32;

    bit [127:0] next_op;
    int unsigned next_address, next_data, next_input;
    int events;
    // Set while a batch programs cells.
    reg writing = 1'b0;
    // Mask words may be left; the catcher may pause at random: a function of C is called in the cycles that need it.
    reg masking = 1'b1;
    reg pausing = 1'b1;

    always @(posedge clk) begin
        if (rst) begin
            op_valid <= 1'b0;
            mask_valid <= 1'b0;
            i_valid <= 1'b0;
        end else begin
            // An operation waits until the last mask word has gone in.
            if (op_valid ? op_ready : !mask_valid) begin
                op_valid <= mho_next_op(handle, next_op);
                op_payload <= next_op[`MHO_OP_BITS-1:0];
            end
            if (!mask_valid || mask_ready) begin
                mask_valid <= 1'b0;
                if (masking) begin
                    mask_valid <= mho_next_mask(handle, next_address, next_data);
                    mask_payload <= {next_data, next_address[ADDRESS_BITS-1:0]};
                end
            end
            if (!i_valid || i_ready) begin
                i_valid <= mho_next_input(handle, next_input);
                i_payload <= next_input;
            end
            if (o_valid && o_ready) mho_output(handle, o_payload);
            if (done) mho_done(handle, {16'd0, cycles_total}, {16'd0, cycles_analog}, {16'd0, cycles_hold});
            // What is offered and not taken, and what the core says of itself.
            events = mho_poll(
                handle,
                {27'd0, i_valid & ~i_ready, op_valid & ~op_ready, mask_valid & ~mask_ready, error, busy});
            if (events[0]) wake <= ~wake;
            writing <= events[1];
            masking <= events[2];
            pausing <= events[3];
        end
        o_ready <= 1'b1;
        if (pausing) o_ready <= mho_ready(handle);
    end

`ifdef MHO_VERIFY_BITS
    import "DPI-C" function int mho_write_command(input chandle handle, output bit [255:0] parameters);
    import "DPI-C" function bit mho_next_target(input chandle handle, output int unsigned payload);
    import "DPI-C" function void mho_cell(input chandle handle, input int unsigned payload);
    import "DPI-C" function void mho_write_done(input chandle handle,
        input int unsigned sets, input int unsigned resets, input int unsigned forms, input int unsigned reads,
        input int unsigned pulsed, input int unsigned faults, input int unsigned write_pass,
        input longint unsigned total, input longint unsigned hold);
    import "DPI-C" function int mho_fault_map(input chandle handle, input int unsigned data);

    reg [`MHO_TARGET_BITS-1:0] target_payload;
    reg target_valid = 1'b0;
    wire target_ready;
    wire [`MHO_CELL_BITS-1:0] cell_payload;
    wire cell_valid;
    reg cell_ready = 1'b0;
    reg [`MHO_PARAMETER_BITS-1:0] parameters;
    reg write_start = 1'b0;
    reg write_stop = 1'b0;
    reg [`MHO_MAP_BITS-1:0] map_addr = '0;
    wire [`MHO_MAP_WIDTH-1:0] map_data;
    wire write_done;
    wire [3:0] write_pass;
    wire [31:0] write_sets, write_resets, write_forms, write_reads, write_pulsed, write_faults;
    wire [47:0] write_cycles_total, write_cycles_hold;

    bit [255:0] next_parameters;
    int unsigned next_target;
    int command, next_map;

    always @(posedge clk)
        if (writing) begin
            command = mho_write_command(handle, next_parameters);
            write_start <= command[0];
            write_stop <= command[1];
            if (command[0]) parameters <= next_parameters[`MHO_PARAMETER_BITS-1:0];
            // The word of the map that belongs to the address of the last cycle but one.
            if (command[2]) begin
                next_map = mho_fault_map(handle, 32'(map_data));
                map_addr <= next_map[`MHO_MAP_BITS-1:0];
            end
            if (!target_valid || target_ready) begin
                target_valid <= mho_next_target(handle, next_target);
                target_payload <= next_target[`MHO_TARGET_BITS-1:0];
            end
            if (cell_valid && cell_ready) mho_cell(handle, 32'(cell_payload));
            cell_ready <= mho_ready(handle);
            if (write_done)
                mho_write_done(handle,
                    write_sets, write_resets, write_forms, write_reads, write_pulsed, write_faults, {28'd0, write_pass},
                    {16'd0, write_cycles_total}, {16'd0, write_cycles_hold});
        end else begin
            // What a run that was stopped left behind.
            target_valid <= 1'b0;
            write_stop <= 1'b0;
            map_addr <= '0;
        end
`endif

`ifdef MHO_CLOCKS
    `MHO_CLOCKS
`endif

    `MHO_CORE core (
        .clk(clk),
`ifdef MHO_RESET_LOW
        .rst_n(~rst),
`else
        .rst(rst),
`endif
        .soft_reset(1'b0),
        .op_payload(op_payload), .op_valid(op_valid), .op_ready(op_ready),
        .mask_payload(mask_payload), .mask_valid(mask_valid), .mask_ready(mask_ready),
        .i_payload(i_payload), .i_valid(i_valid), .i_ready(i_ready),
        .o_payload(o_payload), .o_valid(o_valid), .o_ready(o_ready),
        .status_busy(busy), .status_done(done), .status_error(error), .status_mvms(),
        .status_cycles_total(cycles_total), .status_cycles_analog(cycles_analog), .status_cycles_hold(cycles_hold)
`ifdef MHO_VERIFY_BITS
        ,
        .target_payload(target_payload), .target_valid(target_valid), .target_ready(target_ready),
        .cell_payload(cell_payload), .cell_valid(cell_valid), .cell_ready(cell_ready),
        .parameters(parameters), .write_start(write_start), .write_stop(write_stop),
        .map_addr(map_addr), .map_data(map_data), .programming_enable(1'b1),
        .write_status_busy(), .write_status_done(write_done), .write_status_error(), .write_status_enabled(),
        .write_status_write_pass(write_pass),
        .write_status_sets(write_sets), .write_status_resets(write_resets), .write_status_forms(write_forms),
        .write_status_reads(write_reads), .write_status_pulsed(write_pulsed), .write_status_faults(write_faults),
        .write_status_cycles_total(write_cycles_total), .write_status_cycles_hold(write_cycles_hold)
`endif
`ifdef MHO_TRIM
        , .trim(`MHO_TRIM)
`endif
`ifdef MHO_IDLE
        `MHO_IDLE
`endif
`ifdef MHO_EXTRA
        `MHO_EXTRA
`endif
    );
endmodule
