// In a simulator that somebody else builds: has the models ready behind the pins at the first clock edge (embedded.cpp).
module mho_models (
    input wire clk
);
    import "DPI-C" function void mho_models_start();

    reg started = 1'b0;
    always @(posedge clk)
        if (!started) begin
            started <= 1'b1;
            mho_models_start();
        end
endmodule
