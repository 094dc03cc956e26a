; A residual block over two tiles, the first of them: 3 x 3 over 8 x 8 pixels with 4 channels, and the way around.
; The host sends pixels to `in`. Flow 0 goes to the second tile's slot 0, flow 1 to its slot 1: the skip.

stream in:   block 4, blocks 20, remote, slot 0
stream mid:  block 4, blocks 2
stream skip: block 4, blocks 2
bytes zero { 0 0 0 0 }

walk taps: stream in, kernel_x 3, kernel_y 3, pad_x 1, pad_y 1, width 8, height 8, pad zero
walk each: stream in, width 8, height 8             ; every pixel once; it gives none back, `taps` does

mvm layer: i_last 8, o_last 1, in_bits 4, in_signed, out_bits 8, step_code 256

parameters scale { 4 * m 600, target 0.., valid, start }
parameters bias { 4 * m 1, c -16.. }

vec copy: kind max, a each, target skip, elements 4
vec leaf: a drain, target accumulators, elements 4, parameters scale, shift 3
vec root: a accumulators, target mid, elements 4, parameters bias, shift 8, lo 0, hi 7

loop forever {
    loop 64 {
        vec copy, advance_a, push
        send skip, flow 1, free
        mvm layer, taps, advance, free
        vec leaf
        vec root, push
        send mid, flow 0, free
    }
    image
}
