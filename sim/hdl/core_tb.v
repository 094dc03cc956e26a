// Shell around the core for simulators without DPI, in Verilog-2005: clock, reset, and streams that are fed from and caught
// in memories which Python fills and reads (sim/core/simulator/driver_vpi.py). Python is woken by `strobed` and `wake`
// alone.
`timescale 1ps / 1ps

module core_tb;
    reg clk;
    reg rst;
    initial begin
        clk = 1'b0;
        rst = 1'b1;
        repeat (8) @(posedge clk);
        rst <= 1'b0;
    end
    always #(`MHO_HALF_PS) clk = ~clk;

    reg [1023:0] waves;
    initial if ($value$plusargs("waves=%s", waves)) begin
        $dumpfile(waves);
        $dumpvars(0, core_tb);
    end

    // The batch, written by Python before `start` changes.
    reg [127:0] ops [0:`MHO_DEPTH-1];
    reg [31:0] masks [0:2*`MHO_DEPTH-1];
    reg [31:0] inputs [0:`MHO_DEPTH-1];
    reg [31:0] outputs [0:`MHO_DEPTH-1];
    reg [143:0] counters [0:`MHO_DEPTH-1];
    reg [15:0] op_count, mask_count, input_count, output_count, done_count;
    reg [31:0] patience;
    reg [8:0] gap, stall, freeze;
    reg start;
    initial {start, gap, stall, freeze} = 0;

    // The body of the macro keeps its pins, and the answer of the model, in a module of its kind.
`ifdef MHO_PINS
    `MHO_PINS pins ();
`endif
    reg strobed;
    reg slow;
    initial {strobed, slow} = 0;

    reg started, running, wake, error_seen;
    initial {started, running, wake, error_seen} = 0;
    // 2: complete, 3: stuck, 4: more results than operations (the values of mho.sim.core.batch.Outcome).
    reg [2:0] outcome;
    reg [15:0] op_next, mask_next, input_next, output_next, done_next;
    reg [31:0] idle;

    reg [`MHO_OP_BITS-1:0] op_payload;
    reg op_valid;
    wire op_ready;
    reg [`MHO_MASK_BITS-1:0] mask_payload;
    reg mask_valid;
    wire mask_ready;
    reg [31:0] i_payload;
    reg i_valid;
    wire i_ready;
    wire [31:0] o_payload;
    wire o_valid;
    reg o_ready;
    wire busy, done, error;
    wire [47:0] cycles_total, cycles_analog, cycles_hold;
    initial {op_valid, mask_valid, i_valid, o_ready} = 0;

    function chance;
        input [8:0] of_256;
        chance = {1'b0, $random} % 256 < of_256;
    endfunction

    wire moved = op_next == op_count && mask_next == mask_count && input_next == input_count
        && output_next == output_count && done_next == done_count && !op_valid && !mask_valid && !i_valid;

    always @(posedge clk) begin
        o_ready <= !chance(stall);
        slow <= chance(freeze);
        if (start !== started) begin
            started <= start;
            running <= 1'b1;
            error_seen <= 1'b0;
            op_next <= 0;
            mask_next <= 0;
            input_next <= 0;
            output_next <= 0;
            done_next <= 0;
            idle <= 0;
        end else if (running) begin
            idle <= idle + 1;
            if (error) error_seen <= 1'b1;
            // An operation waits until the last mask word has gone in.
            if (op_valid ? op_ready : !mask_valid) begin
                op_valid <= 1'b0;
                if (op_next != op_count && mask_next == mask_count && !chance(gap)) begin
                    op_valid <= 1'b1;
                    op_payload <= ops[op_next];
                    op_next <= op_next + 1;
                    idle <= 0;
                end
            end
            if (!mask_valid || mask_ready) begin
                mask_valid <= 1'b0;
                if (mask_next != mask_count && !chance(gap)) begin
                    mask_valid <= 1'b1;
                    mask_payload <= {masks[2 * mask_next + 1], masks[2 * mask_next][`MHO_MASK_BITS-33:0]};
                    mask_next <= mask_next + 1;
                    idle <= 0;
                end
            end
            if (!i_valid || i_ready) begin
                i_valid <= 1'b0;
                if (input_next != input_count && !chance(gap)) begin
                    i_valid <= 1'b1;
                    i_payload <= inputs[input_next];
                    input_next <= input_next + 1;
                    idle <= 0;
                end
            end
            if (o_valid && o_ready) begin
                outputs[output_next] <= o_payload;
                output_next <= output_next + 1;
                idle <= 0;
            end
            if (done) begin
                counters[done_next] <= {cycles_hold, cycles_analog, cycles_total};
                done_next <= done_next + 1;
                idle <= 0;
            end
            if ((moved && !busy) || idle > patience || output_next > output_count || done_next > done_count) begin
                outcome <= (moved && !busy) ? 3'd2 : idle > patience ? 3'd3 : 3'd4;
                running <= 1'b0;
                wake <= ~wake;
            end
        end
    end

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
        // Cells are programmed in simulators with DPI only.
        .target_payload({`MHO_TARGET_BITS{1'b0}}), .target_valid(1'b0), .target_ready(),
        .cell_payload(), .cell_valid(), .cell_ready(1'b0),
        .parameters({`MHO_PARAMETER_BITS{1'b0}}), .write_start(1'b0), .write_stop(1'b0),
        .map_addr({`MHO_MAP_BITS{1'b0}}), .map_data(), .programming_enable(1'b1),
        .write_status_busy(), .write_status_done(), .write_status_error(), .write_status_enabled(), .write_status_write_pass(),
        .write_status_sets(), .write_status_resets(), .write_status_forms(), .write_status_reads(),
        .write_status_pulsed(), .write_status_faults(), .write_status_cycles_total(), .write_status_cycles_hold()
`endif
`ifdef MHO_TRIM
        , .trim(`MHO_TRIM)
`endif
`ifdef MHO_EXTRA
        `MHO_EXTRA
`endif
    );
endmodule
