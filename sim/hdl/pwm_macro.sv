// Simulation body of a phase-change macro: the pins of mho.hw.pwm.pins, answered by pwm_shim.cpp through DPI.
// Pulses are noted where they begin and end; the model is asked once a conversion, when its counters are captured.
// Read once for each size of a macro in the simulation, with its name and its sizes defined (sim/build/shells.py).
module `MHO_MACRO #(
    parameter int LINES = `MHO_LINES,
    parameter int DEVICES = `MHO_DEVICE_LINES,
    parameter int LANES = `MHO_LANES
) (
    input  wire                        clk,
    input  wire [LINES-1:0]            row_pos,
    input  wire [LINES-1:0]            row_neg,
    input  wire                        device_pos,
    input  wire                        device_neg,
    input  wire [DEVICES-1:0]          wl_en,
    input  wire                        start,
    input  wire                        window,
    input  wire [15:0]                 step_code,
    input  wire [2:0]                  shift,
    input  wire [63:0]                 op_id,
    input  wire                        reference,
    input  wire [1:0]                  reference_pos,
    input  wire [1:0]                  reference_neg,
    input  wire                        capture,
    input  wire [$clog2(LINES/LANES)-1:0] count_row,
    input  wire                        trim_write,
    input  wire [$clog2(LINES)-1:0]    trim_column,
    input  wire [21:0]                 trim_data,
`ifdef MHO_ENGINE
    input  wire                        verify,
    input  wire                        amplitude_write,
    input  wire [$clog2(LINES)-1:0]    amplitude_column,
    input  wire [8:0]                  amplitude_data,
    input  wire                        pulse,
`endif
    output reg  [LANES*12-1:0]         count_pos,
    output reg  [LANES*12-1:0]         count_neg,
    output wire                        hold
);
    // Of one width for macros of all sizes, since a function of C has one signature.
    typedef bit [255:0] rows_t;
    typedef bit [1023:0] devices_t;
    typedef bit [3071:0] counts_t;
    import "DPI-C" function chandle mho_pwm_create(input int lines, input int devices, input int lsb_cycles, input string path);
    import "DPI-C" function void mho_pwm_begin(
        input chandle handle, input longint unsigned op_id, input int step_code, input int shift, input devices_t wl,
        input int reference_word);
    import "DPI-C" function void mho_pwm_pulses(
        input chandle handle, input int cycle, input int devices, input rows_t pos, input rows_t neg);
    import "DPI-C" function void mho_pwm_capture(input chandle handle, output counts_t pos, output counts_t neg);
    import "DPI-C" function void mho_pwm_trim(input chandle handle, input int column, input int data);
    import "DPI-C" function void mho_pwm_amplitude(input chandle handle, input int column, input int data);
    import "DPI-C" function void mho_pwm_pulse(input chandle handle, input devices_t wl);
    import "DPI-C" function bit mho_pwm_hold(input chandle handle);

    chandle handle;
    initial handle = mho_pwm_create(LINES, DEVICES, `MHO_LSB_CYCLES, $sformatf("%m"));

    // Of use in a bench only: a macro that freezes the sequencer at random. Frozen cycles are no part of a pulse.
`ifdef MHO_STEADY
    wire slow = 1'b0;
`else
    reg slow = 1'b0;
    always @(posedge clk) slow <= mho_pwm_hold(handle);
`endif
    assign hold = slow;

`ifdef MHO_ENGINE
    wire one_device = verify;
    reg last_pulse = 1'b0;
    always @(posedge clk) begin
        last_pulse <= pulse;
        if (amplitude_write) mho_pwm_amplitude(handle, 32'(amplitude_column), {23'd0, amplitude_data});
        if (pulse & ~last_pulse) mho_pwm_pulse(handle, 1024'(wl_en));
    end
`else
    wire one_device = 1'b0;
`endif

    reg [31:0] cycle = 32'd0;
    reg [LINES-1:0] last_pos = '0, last_neg = '0;
    counts_t captured_pos, captured_neg;

    always @(posedge clk) begin
        // Still while nothing happens, so that a tile that waits is seen to wait (mesh_tiles.cpp).
        if (window) cycle <= cycle + {31'd0, ~slow};
        if (start)
            mho_pwm_begin(
                handle, op_id, {16'd0, step_code}, {29'd0, shift}, 1024'(wl_en),
                {26'd0, one_device, reference_neg, reference_pos, reference});
        if (row_pos != last_pos || row_neg != last_neg) begin
            mho_pwm_pulses(handle, cycle, {30'd0, device_neg, device_pos}, 256'(row_pos), 256'(row_neg));
            last_pos <= row_pos;
            last_neg <= row_neg;
        end
        if (capture) mho_pwm_capture(handle, captured_pos, captured_neg);
        if (trim_write) mho_pwm_trim(handle, 32'(trim_column), {10'd0, trim_data});
        count_pos <= captured_pos[32'(count_row) * LANES * 12 +: LANES * 12];
        count_neg <= captured_neg[32'(count_row) * LANES * 12 +: LANES * 12];
    end
endmodule
