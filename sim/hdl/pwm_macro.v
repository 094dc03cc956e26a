// Body of a phase-change macro for simulators without DPI, in Verilog-2005: it counts the widths of pulses, and Python is
// asked (sim/core/strobed/pwm.py) when counters are captured and when devices are pulsed.

// The pins of a conversion, and the counters that Python answers with.
module pwm_pins;
    parameter LSB_CYCLES = `MHO_LSB_CYCLES;
    reg strobe;                                    // 0: counters were captured, 1: devices are pulsed
    reg [63:0] op_id;
    reg [15:0] step_code;
    reg [2:0] shift;
    reg [6:0] reference;
    reg [`MHO_DEVICE_LINES-1:0] wl_en;
    reg [`MHO_LINES*16-1:0] pp, pn, np, nn;        // cycles of (inputs, devices)
    reg [`MHO_LINES*22-1:0] trim;
    reg [`MHO_LINES*9-1:0] amplitude;
    reg [`MHO_LINES*12-1:0] count_pos, count_neg;
    initial {pp, pn, np, nn, trim, amplitude, count_pos, count_neg, reference} = 0;
endmodule

module pwm_macro (
    input  wire                          clk,
    input  wire [`MHO_LINES-1:0]         row_pos,
    input  wire [`MHO_LINES-1:0]         row_neg,
    input  wire                          device_pos,
    input  wire                          device_neg,
    input  wire [`MHO_DEVICE_LINES-1:0]  wl_en,
    input  wire                          start,
    input  wire                          window,
    input  wire [15:0]                   step_code,
    input  wire [2:0]                    shift,
    input  wire [63:0]                   op_id,
    input  wire                          reference,
    input  wire [1:0]                    reference_pos,
    input  wire [1:0]                    reference_neg,
    input  wire                          capture,
    input  wire [$clog2(`MHO_LINES/`MHO_LANES)-1:0] count_row,
    input  wire                          trim_write,
    input  wire [$clog2(`MHO_LINES)-1:0] trim_column,
    input  wire [21:0]                   trim_data,
`ifdef MHO_ENGINE
    input  wire                          verify,
    input  wire                          amplitude_write,
    input  wire [$clog2(`MHO_LINES)-1:0] amplitude_column,
    input  wire [8:0]                    amplitude_data,
    input  wire                          pulse,
`endif
    output wire [`MHO_LANES*12-1:0]      count_pos,
    output wire [`MHO_LANES*12-1:0]      count_neg,
    output wire                          hold
);
    assign hold = core_tb.slow;

`ifdef MHO_ENGINE
    wire one_device = verify;
    reg last_pulse;
    initial last_pulse = 1'b0;
    always @(posedge clk) begin
        last_pulse <= pulse;
        if (amplitude_write === 1'b1) core_tb.pins.amplitude[9 * amplitude_column +: 9] <= amplitude_data;
        if (pulse === 1'b1 && !last_pulse) begin
            core_tb.pins.strobe <= 1'b1;
            core_tb.pins.wl_en <= wl_en;
            core_tb.strobed <= ~core_tb.strobed;
        end
    end
`else
    wire one_device = 1'b0;
`endif

    // Python answers after the edge of the capture, so that the group is chosen behind a register.
    reg [$clog2(`MHO_LINES/`MHO_LANES)-1:0] group;
    assign count_pos = core_tb.pins.count_pos[`MHO_LANES * 12 * group +: `MHO_LANES * 12];
    assign count_neg = core_tb.pins.count_neg[`MHO_LANES * 12 * group +: `MHO_LANES * 12];

    integer row;
    always @(posedge clk) begin
        group <= count_row;
        if (trim_write === 1'b1) core_tb.pins.trim[22 * trim_column +: 22] <= trim_data;
        if (start === 1'b1) begin
            core_tb.pins.op_id <= op_id;
            core_tb.pins.step_code <= step_code;
            core_tb.pins.shift <= shift;
            core_tb.pins.reference <= {1'b0, one_device, reference_neg, reference_pos, reference};
            core_tb.pins.wl_en <= wl_en;
            {core_tb.pins.pp, core_tb.pins.pn, core_tb.pins.np, core_tb.pins.nn} <= 0;
        end else if (|{row_pos, row_neg} === 1'b1 && !hold)
            for (row = 0; row < `MHO_LINES; row = row + 1) begin
                if (row_pos[row]) begin
                    core_tb.pins.pp[16 * row +: 16] <= core_tb.pins.pp[16 * row +: 16] + device_pos;
                    core_tb.pins.pn[16 * row +: 16] <= core_tb.pins.pn[16 * row +: 16] + device_neg;
                end
                if (row_neg[row]) begin
                    core_tb.pins.np[16 * row +: 16] <= core_tb.pins.np[16 * row +: 16] + device_pos;
                    core_tb.pins.nn[16 * row +: 16] <= core_tb.pins.nn[16 * row +: 16] + device_neg;
                end
            end
        if (capture === 1'b1) begin
            core_tb.pins.strobe <= 1'b0;
            core_tb.strobed <= ~core_tb.strobed;
        end
    end
endmodule
