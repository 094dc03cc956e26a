; A convolution and its pooling on one tile: 3 x 3 over an image of 8 x 8 pixels with 2 channels, with a border of
; zeros, to 4 channels; ReLU; the largest of each 2 x 2.
; The host sends 64 blocks, a pixel each, row by row, and gets 16 pixels of 4 codes over flow 0.

stream in:   block 2, blocks 20, remote, slot 0     ; the least is 2 rows and 3 pixels: 19
stream conv: block 4, blocks 16                     ; two rows for the pooling
stream out:  block 4, blocks 2
bytes zero { 0 0 }                                  ; what stands for a pixel outside

walk taps: stream in, kernel_x 3, kernel_y 3, pad_x 1, pad_y 1, width 8, height 8, pad zero
walk pool: stream conv, kernel_x 2, kernel_y 2, stride_x 2, stride_y 2, width 8, height 8

; 18 codes in 5 words; 4 columns. Each position takes one number.
mvm layer: i_last 4, o_last 1, in_bits 4, in_signed, out_bits 8, step_code 256, operation 10, conversions 1

parameters scale { 4 * m 700, target 0.., valid, start }
parameters bias { 4 * m 1, c -40.. }

vec leaf: a drain, target accumulators, elements 4, parameters scale, shift 3
vec root: a accumulators, target conv, elements 4, parameters bias, shift 7, lo 0, hi 7
vec most: kind max, a pool, target out, elements 4

loop forever {
    loop 4 {
        loop 16 {                           ; two rows of the convolution
            mvm layer, taps, advance, free
            vec leaf
            vec root, push
        }
        loop 4 {                            ; one row of the pooling
            vec most, advance_a, free_a, push
            send out, flow 0, free
        }
    }
    image
}
