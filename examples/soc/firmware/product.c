/* One product of 32 codes with 64 columns, and a network of two of them, from C: by the bus and its driver, by instructions. */
#include <stdint.h>
#include <stdio.h>

#include "board.h"
#include "mho_cfu.h"
#include "mho_core_wb_driver.h"

#define INPUTS 32u
#define OUTPUTS 64u
#define STEP 300u

static int16_t in[INPUTS], by_bus[OUTPUTS], by_cfu[OUTPUTS] __attribute__((aligned(4)));
static int8_t hidden[INPUTS] __attribute__((aligned(4)));
static const mho_core_wb_t core = {mho_core_wb_mmio_read, mho_core_wb_mmio_write, (void *)(uintptr_t)BOARD_TILE};

static int multiply_by_bus(const int16_t *codes, int16_t *results, uint32_t number) {
  const mho_core_wb_op_t op = {
    .in_bits = 4, .in_signed = 1, .out_bits = 8, .early_stop = 1, .step_code = STEP, .op_id = number};
  return mho_core_wb_multiply(&core, &op, codes, results, 100000);
}

/* The codes are bytes: four of them are a word as they are. */
static void multiply_by_cfu(const int8_t *codes, int16_t *results, uint32_t number) {
  const uint32_t *words = (const uint32_t *)(const void *)codes;
  uint32_t *to = (uint32_t *)(void *)results;
  mho_cfu_number(number, 0);
  mho_cfu_start(mho_cfu_low(4, 1, 8, 1, STEP), mho_cfu_high(STEP));
  for (unsigned k = 0; k < INPUTS / 4u; k += 2) mho_cfu_give(words[k], words[k + 1]);
  for (unsigned k = 0; k < OUTPUTS / 2u; k++) to[k] = mho_cfu_take();
}

/* What a network does between two products: codes of 4 bits from sums of pairs of columns, not below 0. */
static int code(const int16_t *results, unsigned k) {
  const int sum = (results[2u * k] + results[2u * k + 1u]) >> 4;
  return sum < 0 ? 0 : sum > 7 ? 7 : sum;
}

static int network_by_bus(uint32_t number) {
  int16_t between[INPUTS];
  int failed = multiply_by_bus(in, by_bus, number);
  for (unsigned k = 0; k < INPUTS; k++) between[k] = (int16_t)code(by_bus, k);
  return failed ? failed : multiply_by_bus(between, by_bus, number + 1u);
}

static void network_by_cfu(const int8_t *codes, uint32_t number) {
  multiply_by_cfu(codes, by_cfu, number);
  for (unsigned k = 0; k < INPUTS; k++) hidden[k] = (int8_t)code(by_cfu, k);
  multiply_by_cfu(hidden, by_cfu, number + 1u);
}

static unsigned different(void) {
  unsigned count = 0;
  for (unsigned k = 0; k < OUTPUTS; k++) count += by_bus[k] != by_cfu[k];
  return count;
}

int main(void) {
  static int8_t codes[INPUTS] __attribute__((aligned(4)));
  board_start();
  for (unsigned k = 0; k < INPUTS; k++) in[k] = codes[k] = (int8_t)(k * 5u % 15u) - 7;
  for (unsigned turn = 0; turn < 2; turn++) { /* the second one finds its instructions in the cache */
    uint32_t before = (uint32_t)mho_core_wb_counter(&core, MHO_CORE_WB_CYCLES_TOTAL_LOW), began = board_cycles();
    const int failed = multiply_by_bus(in, by_bus, 1);
    const uint32_t bus = board_cycles() - began;
    const uint32_t array = (uint32_t)mho_core_wb_counter(&core, MHO_CORE_WB_CYCLES_TOTAL_LOW) - before;
    began = board_cycles();
    multiply_by_cfu(codes, by_cfu, 1);
    const uint32_t cfu = board_cycles() - began;
    printf("product: bus %lu, instructions %lu, array %lu; failed %d, %u differ\n", (unsigned long)bus, (unsigned long)cfu,
           (unsigned long)array, failed, different());
    printf("results");
    for (unsigned k = 0; k < OUTPUTS; k++) printf(" %d", by_cfu[k]);
    printf("\n");
    before = (uint32_t)mho_core_wb_counter(&core, MHO_CORE_WB_CYCLES_TOTAL_LOW);
    began = board_cycles();
    const int network_failed = network_by_bus(2);
    const uint32_t network_bus = board_cycles() - began;
    const uint32_t network_array = (uint32_t)mho_core_wb_counter(&core, MHO_CORE_WB_CYCLES_TOTAL_LOW) - before;
    began = board_cycles();
    network_by_cfu(codes, 2);
    const uint32_t network_cfu = board_cycles() - began;
    printf("two layers: bus %lu, instructions %lu, array %lu; failed %d, %u differ\n", (unsigned long)network_bus,
           (unsigned long)network_cfu, (unsigned long)network_array, network_failed, different());
  }
  printf("done\n");
  board_end();
  return 0;
}
