// Shell around a generated mesh of tiles: the host at its port (mesh_host.cpp), the macros (tnsa_macro.sv), and what is noted
// of the tiles. The names and widths are defined before it is read (sim/tile_networks/build.py).
//
// As in core_bench.sv, all that drives the mesh is a flip-flop. `wake` changes when the host has something to say.
`timescale 1ps / 1ps

module `MHO_SHELL (
    input wire clk,
    input wire rst,
    output reg wake
);
    import "DPI-C" function chandle mho_host_create(input string path);
    import "DPI-C" function int mho_host_poll(input chandle handle);
    import "DPI-C" function bit mho_host_request(input chandle handle, output bit [127:0] payload);
    import "DPI-C" function void mho_host_response(input chandle handle, input int unsigned data, input bit error);
    import "DPI-C" function bit mho_host_send(input chandle handle, output bit [255:0] payload);
    import "DPI-C" function void mho_host_receive(input chandle handle, input bit [255:0] payload);
    import "DPI-C" function void mho_host_lost(input chandle handle);

    chandle handle;
    initial begin
        wake = 1'b0;
        handle = mho_host_create($sformatf("%m"));
    end

    reg reset = 1'b1;
    reg [`MHO_REQUEST_BITS-1:0] request_payload;
    reg request_valid = 1'b0;
    wire request_ready;
    wire [32:0] response_payload;
    wire response_valid;
    reg [`MHO_SEND_BITS-1:0] send_payload;
    reg send_valid = 1'b0;
    wire send_ready;
    wire [`MHO_BODY_BITS-1:0] receive_payload;
    wire receive_valid, lost;

    bit [127:0] next_request;
    bit [255:0] next_send;
    bit sends;
    int flags;
    // The host wants to hear when instructions retire, and of engines and arrays at work.
    reg tracing = 1'b0;

    always @(posedge clk) begin
        if (rst) begin
            reset <= 1'b1;
            request_valid <= 1'b0;
            send_valid <= 1'b0;
        end else begin
            if (response_valid) mho_host_response(handle, response_payload[31:0], response_payload[32]);
            if (receive_valid) mho_host_receive(handle, 256'(receive_payload));
            if (lost) mho_host_lost(handle);
            flags = mho_host_poll(handle);
            if (flags[0]) wake <= ~wake;
            reset <= flags[1];
            tracing <= flags[4];
            if (request_ready) request_valid <= 1'b0;
            if (flags[2]) begin
                request_valid <= mho_host_request(handle, next_request);
                request_payload <= next_request[`MHO_REQUEST_BITS-1:0];
            end
            if (!send_valid || send_ready) begin
                send_valid <= 1'b0;
                if (flags[3]) begin
                    sends = mho_host_send(handle, next_send);
                    send_valid <= sends;
                    if (sends) send_payload <= next_send[`MHO_SEND_BITS-1:0];
                end
            end
        end
    end

    `MHO_MESH mesh (
        .clk(clk),
        .rst(reset),
        .host_bus_request_payload(request_payload),
        .host_bus_request_valid(request_valid),
        .host_bus_request_ready(request_ready),
        .host_bus_response_payload(response_payload),
        .host_bus_response_valid(response_valid),
        .host_bus_response_ready(1'b1),
        .host_burst_request_payload(`MHO_BURST_BITS'd0),
        .host_burst_request_valid(1'b0),
        .host_burst_data_payload(32'd0),
        .host_burst_data_valid(1'b0),
        .host_burst_answer_ready(1'b0),
        .host_send_payload(send_payload),
        .host_send_valid(send_valid),
        .host_send_ready(send_ready),
        .host_receive_payload(receive_payload),
        .host_receive_valid(receive_valid),
        .host_lost(lost)
        `MHO_PORTS
    );
    `MHO_INSIDE
endmodule
