/* The instructions of cfu.v, of custom-0. On VexRiscv they are illegal until bit 31 of CSR 0xBC0 is 1, which is LiteX's mask of
 * interrupts, too: whoever writes one keeps the other (BOARD_CFU). An instruction waits until the core takes or has what it is about.
 */
#ifndef MHO_CFU_H
#define MHO_CFU_H

#include <stdint.h>

#define MHO_CFU_(number, result, a, b) \
  __asm__ volatile(".insn r CUSTOM_0, " #number ", 0, %0, %1, %2" : "=r"(result) : "r"(a), "r"(b))

/* The number of the operations that are started from then on, for models with noise. */
static inline void mho_cfu_number(uint32_t low, uint32_t high) {
  uint32_t none;
  MHO_CFU_(0, none, low, high);
  (void)none;
}

/* Start an operation: fields of op_payload of the core. */
static inline void mho_cfu_start(uint32_t low, uint32_t high) {
  uint32_t none;
  MHO_CFU_(1, none, low, high);
  (void)none;
}

/* Give eight codes, the first one lowest in `first`. */
static inline void mho_cfu_give(uint32_t first, uint32_t second) {
  uint32_t none;
  MHO_CFU_(2, none, first, second);
  (void)none;
}

/* Wait for two results and take them, the first one lowest. */
static inline uint32_t mho_cfu_take(void) {
  uint32_t word;
  MHO_CFU_(3, word, 0, 0);
  return word;
}

/* Write a word of the masks. */
static inline void mho_cfu_mask(uint32_t word_number, uint32_t word) {
  uint32_t none;
  MHO_CFU_(4, none, word_number, word);
  (void)none;
}

/* Whether an operation is in progress. */
static inline uint32_t mho_cfu_busy(void) {
  uint32_t busy;
  MHO_CFU_(5, busy, 0, 0);
  return busy;
}

/* Operations of a product, as op_payload has them. */
static inline uint32_t mho_cfu_low(unsigned in_bits, unsigned in_signed, unsigned out_bits, unsigned early_stop, unsigned step) {
  return in_bits << 1 | in_signed << 5 | out_bits << 6 | early_stop << 12 | step << 19;
}

static inline uint32_t mho_cfu_high(unsigned step) { return step >> 13; }

#endif
