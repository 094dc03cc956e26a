// Draws of mho.macro_models.integer.random, which says what they are, in C++: numpy takes most of its time to begin and end its loops.
#include <cstdint>

extern "C" {

// Blocks 0 to `blocks` - 1 of some conversions: four words of each, one conversion behind the other.
void mho_philox(uint32_t key_low, uint32_t key_high, int64_t count, const uint64_t* op_ids, int64_t blocks, uint32_t step,
                uint32_t* words) {
    for (int64_t n = 0; n < count; n++)
        for (int64_t block = 0; block < blocks; block++, words += 4) {
            uint32_t c0 = uint32_t(block), c1 = uint32_t(op_ids[n]), c2 = uint32_t(op_ids[n] >> 32), c3 = step;
            uint32_t k0 = key_low, k1 = key_high;
            for (int turn = 0; turn < 10; turn++) {
                const uint64_t p0 = uint64_t(c0) * 0xD2511F53u, p1 = uint64_t(c2) * 0xCD9E8D57u;
                c0 = uint32_t(p1 >> 32) ^ c1 ^ k0;
                c2 = uint32_t(p0 >> 32) ^ c3 ^ k1;
                c1 = uint32_t(p1);
                c3 = uint32_t(p0);
                k0 += 0x9E3779B9u;
                k1 += 0xBB67AE85u;
            }
            words[0] = c0;
            words[1] = c1;
            words[2] = c2;
            words[3] = c3;
        }
}

}  // extern "C"
