; A perceptron's layer on one tile: 16 inputs, 8 outputs.
; The host sends a vector of codes into stream `in` and gets lanes of 16 bits over flow 0.

stream in:  block 16, blocks 2, remote, slot 0      ; a byte for each input
stream out: block 16, blocks 2                      ; two bytes for each output

walk whole: stream in                               ; one position: the whole vector

mvm layer: i_last 3, o_last 3, in_bits 4, in_signed, out_bits 8, step_code 256

; Column k of the core adds to accumulator k; each has a scale of its own.
parameters scale {
    m 900, target 0, valid, start
    m 1000, target 1, valid, start
    m 1100, target 2, valid, start
    m 950, target 3, valid, start
    m 1050, target 4, valid, start
    m 980, target 5, valid, start
    m 1020, target 6, valid, start
    m 1000, target 7, valid, start
}
parameters bias { 8 * m 1, c -20.. }                ; c is taken off: -20 adds 20, -19 adds 19, ...

vec leaf: a drain, target accumulators, elements 8, parameters scale, shift 4
vec root: a accumulators, target out, wide, elements 8, parameters bias, lo 0      ; lo 0 is the ReLU

loop forever {
    mvm layer, whole, advance, free     ; waits for the vector, and gives its block back
    vec leaf                            ; waits for the codes
    vec root, push                      ; waits for a free block
    send out, flow 0, free
    image
}
