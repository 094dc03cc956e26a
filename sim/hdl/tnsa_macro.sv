// Simulation body of a transposable macro: the pins of mho.hw.macro.MacroPins, answered by shim.cpp and cells.cpp through DPI.
// A strobe is taken at the clock edge that ends its cycle; `cmp` changes at that edge and stays until the next compare.
// Read once for each size of a macro in the simulation, with its name and its size defined (sim/build/shells.py).
module `MHO_MACRO #(
    parameter int LINES = `MHO_LINES
) (
    input  wire             clk,
    input  wire             backward,
    input  wire [LINES-1:0] bl_pos,
    input  wire [LINES-1:0] bl_neg,
    input  wire [LINES-1:0] sl_pos,
    input  wire [LINES-1:0] sl_neg,
    input  wire [LINES-1:0] wl_en,
    input  wire             precharge,
    input  wire             sample,
    input  wire [2:0]       plane,
    input  wire             compare,
    input  wire             latch,
    input  wire             decrement,
    input  wire [2:0]       dec_scale,
    input  wire [15:0]      step_code,
    input  wire [63:0]      op_id,
    output reg  [LINES-1:0] cmp,
    output wire             hold
`ifdef MHO_VERIFY_BITS
    ,
    input  wire             write_mode,
    input  wire [LINES-1:0] write_wl,
    input  wire [LINES-1:0] write_bl,
    input  wire [LINES-1:0] write_sl,
    input  wire             set_pulse,
    input  wire             reset_pulse,
    input  wire             form_pulse,
    input  wire [7:0]       amplitude,
    input  wire             verify,
    input  wire [3:0]       write_pass,
    output reg  [`MHO_VERIFY_BITS-1:0] verify_code,
    output wire             verify_valid
`endif
);
    // Of one width for macros of all sizes, since a function of C has one signature.
    typedef bit [255:0] lines_t;
    import "DPI-C" function chandle mho_macro_create(input int lines, input string path);
    import "DPI-C" function void mho_precharge(input chandle handle, input longint unsigned op_id);
    import "DPI-C" function void mho_sample(
        input chandle handle, input bit backward, input int plane, input lines_t bl_pos, input lines_t bl_neg,
        input lines_t sl_pos, input lines_t sl_neg, input lines_t wl_en);
    import "DPI-C" function void mho_compare(
        input chandle handle, input bit latch, input int step_code, input longint unsigned op_id, output lines_t cmp);
    import "DPI-C" function void mho_decrement(input chandle handle, input int scale, input int step_code);
    import "DPI-C" function bit mho_hold(input chandle handle);

    chandle handle;
    initial handle = mho_macro_create(LINES, $sformatf("%m"));

    lines_t answer;

    always @(posedge clk) begin
        if (precharge) mho_precharge(handle, op_id);
        if (sample)
            mho_sample(
                handle, backward, {29'd0, plane}, 256'(bl_pos), 256'(bl_neg), 256'(sl_pos), 256'(sl_neg), 256'(wl_en));
        if (decrement) mho_decrement(handle, {29'd0, dec_scale}, {16'd0, step_code});
        if (compare) begin
            mho_compare(handle, latch, {16'd0, step_code}, op_id, answer);
            cmp <= answer[LINES-1:0];
        end
    end

    // Of use in a bench only: a macro that freezes the sequencer at random.
`ifdef MHO_STEADY
    wire slow = 1'b0;
`else
    reg slow = 1'b0;
    always @(posedge clk) slow <= mho_hold(handle);
`endif
    assign hold = slow;

`ifdef MHO_VERIFY_BITS
    import "DPI-C" function chandle mho_cells_create(input string path);
    import "DPI-C" function void mho_pulse_begin(
        input chandle cells, input int kind, input int amplitude, input int write_pass,
        input lines_t wl, input lines_t bl, input lines_t sl);
    import "DPI-C" function void mho_pulse_end(
        input chandle cells, input int amplitude, input int width, input lines_t wl, input lines_t bl, input lines_t sl);
    import "DPI-C" function int mho_verify(input chandle cells, input lines_t wl, input lines_t bl, input lines_t sl);
    import "DPI-C" function void mho_relax(input chandle cells, input int write_pass);
    import "DPI-C" function void mho_clash(input chandle cells);

    chandle cells;
    initial cells = mho_cells_create($sformatf("%m"));

    // A pulse is applied at its end; cycles in which the macro holds do not count.
    wire pulsing = set_pulse | reset_pulse | form_pulse;
    reg was_pulsing = 1'b0;
    reg [31:0] width = 32'd0;
    reg [3:0] last_pass = 4'd0;
    int code;

    assign verify_valid = 1'b1;
    always @(posedge clk)
        if (write_mode | was_pulsing) begin
            was_pulsing <= pulsing;
            last_pass <= write_pass;
            if (precharge | sample | compare | decrement) mho_clash(cells);
            if (write_pass != last_pass) mho_relax(cells, {28'd0, write_pass});
            if (pulsing) begin
                width <= (was_pulsing ? width : 32'd0) + {31'd0, ~slow};
                if (!was_pulsing)
                    mho_pulse_begin(
                        cells, form_pulse ? 2 : reset_pulse ? 1 : 0, {24'd0, amplitude}, {28'd0, write_pass},
                        256'(write_wl), 256'(write_bl), 256'(write_sl));
            end
            if (was_pulsing & ~pulsing)
                mho_pulse_end(
                    cells, {24'd0, amplitude}, width, 256'(write_wl), 256'(write_bl), 256'(write_sl));
            if (verify) begin
                code = mho_verify(cells, 256'(write_wl), 256'(write_bl), 256'(write_sl));
                verify_code <= code[`MHO_VERIFY_BITS-1:0];
            end
        end else last_pass <= 4'd0;
`endif
endmodule
