; A residual block over two tiles, the second of them: another 3 x 3, the sum with the skip, ReLU.
; The skip waits until this convolution has come that far, a row and two pixels behind the first one.

stream mid:  block 4, blocks 20, remote, slot 0
stream skip: block 4, blocks 12, remote, slot 1
stream out:  block 4, blocks 2
bytes zero { 0 0 0 0 }

walk taps: stream mid, kernel_x 3, kernel_y 3, pad_x 1, pad_y 1, width 8, height 8, pad zero

mvm layer: i_last 8, o_last 1, in_bits 4, in_signed, out_bits 8, step_code 256

parameters scale { 4 * m 600, target 0.., valid, start }
parameters sum {
    4 * m 1, c -16..                                ; the accumulators, with their bias
    4 * m 500                                       ; the skip, on the scale of the accumulators
}

vec leaf: a drain, target accumulators, elements 4, parameters scale, shift 3
vec join: a accumulators, b skip, target out, elements 4, parameters sum, shift 8, lo 0, hi 7

loop forever {
    loop 64 {
        mvm layer, taps, advance, free
        vec leaf
        vec join, free_b, push
        send out, flow 0, free
    }
    image
}
