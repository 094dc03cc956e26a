; A layer whose 64 inputs are split over four tiles, 16 each: the root of the reduction, and a member too.

stream in:   block 16, blocks 2, remote, slot 0
stream part: block 16, blocks 2
stream out:  block 16, blocks 2

walk whole: stream in

mvm layer: i_last 3, o_last 3, in_bits 4, in_signed, out_bits 8, step_code 256

parameters scale { 8 * m 1000, target 0.., valid, start }
parameters bias { 8 * m 1, c -20.. }

vec leaf:  a drain, target accumulators, elements 8, parameters scale, shift 4
vec lanes: kind max, a accumulators, target part, wide, elements 8
vec root:  a result0, target out, wide, elements 8, parameters bias, lo 0

loop forever {
    mvm layer, whole, advance, free
    vec leaf
    vec lanes, push
    send part, context 0, free              ; goes on at once: the operand waits in the send engine
    vec root, push                          ; takes the sum of all four
    send out, flow 0, free
    image
}
