/* Runs a compiled network on a tile, and tells where the cycles went; then programs cells.
 *
 * What is in memory comes from elsewhere: network.h from `mho export`, data.h from soc.py (images and their classes). The
 * processor is behind board.h: its console, its clock, the interrupt line of the tile, how it ends.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "board.h"
#include "network.h"
#include "data.h"
#include "mho_chip_wb.h"

#define CORE(name) (network.cells[0].core + MHO_CHIP_WB_CORE_##name)
#define PATIENCE 1000000u
#define SKIP (1u << 12) /* a target that leaves its cell alone; a result of one that was given up */
#define PROGRAMMED 100u
#define ERASED 20u /* verify code of a cell in its low state: 1 of 50 uS */

static const mho_tiles_bus_t bus = {mho_tiles_mmio_read, mho_tiles_mmio_write, NULL, (void *)(uintptr_t)BOARD_TILE};
static int16_t codes[DATA_IMAGES][NETWORK_INPUTS], came[DATA_IMAGES][NETWORK_OUTPUTS], lanes[DATA_IMAGES][DATA_LANES];

static uint32_t array_cycles; /* of the run, in which its array was at work */

/* Waits until the tile interrupts; what has happened. */
static unsigned wait_for_tile(void) {
  uint32_t polls = 0;
  while (!board_interrupt())
    if (polls++ == PATIENCE) return MHO_TILES_WATCHDOG;
  array_cycles = mho_tiles_get(&bus, CORE(CYCLES_TOTAL_LOW)); /* the end of a run resets it */
  return mho_tiles_interrupts(&bus, &network);
}

static int run_images(uint32_t first, uint32_t count) {
  mho_tiles_run_t run;
  int state = mho_tiles_begin(&run, &bus, &network, count, first, codes[first], came[first]);
  if (state) return state;
  mho_tiles_enable(&bus, &network, MHO_TILES_WAITING | MHO_TILES_TRAP | MHO_TILES_WATCHDOG | MHO_TILES_ERROR);
  while ((state = mho_tiles_step(&run)) == 1)
    if (wait_for_tile() & (MHO_TILES_TRAP | MHO_TILES_WATCHDOG)) return MHO_TILES_ETRAP;
  return state;
}

/* Pixels are few whole numbers, whose codes are in a table: mho_tiles_encode would compute them from numbers of the model. */
static void encode(void) {
  for (unsigned image = 0; image < DATA_IMAGES; image++)
    for (unsigned k = 0; k < DATA_INPUTS; k++)
      codes[image][k] = data_codes[data_images[image * DATA_INPUTS + k] * DATA_INPUTS + k];
}

/* What the tile leaves to its host behind the last product, and the softmax: the class, and its probability in percent. */
static unsigned decide(unsigned image, unsigned *percent) {
  static float numbers[DATA_LANES];
  unsigned best = 0;
  float sum = 0.0f;
  if (network.finish) network.finish(codes[image], came[image], lanes[image]);
  else
    for (unsigned k = 0; k < DATA_LANES; k++) lanes[image][k] = came[image][k];
  mho_tiles_decode(&network, lanes[image], numbers);
  for (unsigned k = 1; k < DATA_LANES; k++)
    if (numbers[k] > numbers[best]) best = k;
  for (unsigned k = 0; k < DATA_LANES; k++) sum += expf(numbers[k] - numbers[best]);
  *percent = (unsigned)(100.0f / sum + 0.5f);
  return best;
}

static int classify(void) {
  unsigned percent[DATA_IMAGES], classes[DATA_IMAGES], right = 0;
  const uint32_t began = board_cycles();
  encode();
  const uint32_t encoded = board_cycles(), bus_before = board_bus_cycles();
  const int failed = run_images(0, DATA_IMAGES);
  const uint32_t ran = board_cycles(), on_bus = board_bus_cycles() - bus_before;
  const uint32_t on_array = array_cycles;
  if (failed) return failed;
  for (unsigned k = 0; k < DATA_IMAGES; k++) classes[k] = decide(k, &percent[k]);
  const uint32_t decided = board_cycles();
  for (unsigned k = 0; k < DATA_IMAGES; k++) {
    printf("image %u: class %u, %u %%, label %u, lanes", k, classes[k], percent[k], data_labels[k]);
    for (unsigned n = 0; n < DATA_LANES; n++) printf(" %d", lanes[k][n]);
    printf("\n");
    right += classes[k] == data_labels[k];
  }
  printf("%u of %u are right\n", right, DATA_IMAGES);
  printf("cycles of an image: encode %lu, run %lu, softmax %lu\n", (unsigned long)(encoded - began) / DATA_IMAGES,
         (unsigned long)(ran - encoded) / DATA_IMAGES, (unsigned long)(decided - ran) / DATA_IMAGES);
  printf("of the run: bus %lu, processor beside it %lu; meanwhile array %lu\n", (unsigned long)on_bus / DATA_IMAGES,
         (unsigned long)(ran - encoded - on_bus) / DATA_IMAGES, (unsigned long)on_array / DATA_IMAGES);
  const uint32_t alone = board_cycles();
  const int again = run_images(0, 1);
  printf("one image alone: %lu, array %lu\n", (unsigned long)(board_cycles() - alone), (unsigned long)array_cycles);
  return again;
}

/* What a cell is to be: 100 all over the array are the network's, every second one erased; the others are left alone. */
static uint32_t target(const mho_tiles_cells_t *cells, uint32_t cell) {
  const uint32_t stride = cells->count / PROGRAMMED, number = cell / stride;
  if (cell % stride || number >= PROGRAMMED) return SKIP;
  return number % 2u ? ERASED : cells->codes[cell];
}

/* One pass of write-verify over these cells, and the fault map behind it. */
static int program(void) {
  const mho_tiles_cells_t *cells = network.cells;
  uint32_t next = 0, done = 0, polls = 0, faults = 0;
  for (uint32_t k = 0; k < cells->writes_count; k++)
    mho_tiles_put(&bus, cells->core + cells->writes[k][0], cells->writes[k][1]);
  mho_tiles_put(&bus, CORE(WRITE_CONTROL), MHO_CHIP_WB_CORE_WRITE_CONTROL_START_MASK);
  printf("codes");
  while (done < cells->count) {
    const uint32_t levels = mho_tiles_get(&bus, CORE(WRITE_LEVELS));
    uint32_t room = levels & MHO_CHIP_WB_CORE_WRITE_LEVELS_ROOM_MASK;
    uint32_t waiting = levels >> MHO_CHIP_WB_CORE_WRITE_LEVELS_WAITING_SHIFT;
    polls = room || waiting ? 0 : polls + 1;
    if (polls == PATIENCE) return MHO_TILES_ETIMEOUT;
    for (; room && next < cells->count; room--, next++) mho_tiles_put(&bus, CORE(TARGETS), target(cells, next));
    for (; waiting && done < cells->count; waiting--, done++) {
      const uint32_t result = mho_tiles_get(&bus, CORE(RESULTS));
      if (target(cells, done) != SKIP) printf(" %lu%s", (unsigned long)(result & (SKIP - 1u)), result & SKIP ? "!" : "");
    }
  }
  const uint32_t rows = mho_tiles_get(&bus, CORE(GEOMETRY));
  for (uint32_t row = 0; row < rows; row++) {
    mho_tiles_put(&bus, CORE(FAULT_ROW), row);
    for (uint32_t word = 0; word < (rows + 31u) / 32u; word++)
      for (uint32_t bits = mho_tiles_get(&bus, CORE(FAULTS) + 4u * word); bits; bits &= bits - 1u) faults++;
  }
  printf("\n%u cells programmed: %lu SET and %lu RESET pulses, %lu reads, %lu in the fault map, %lu cycles\n", PROGRAMMED,
         (unsigned long)mho_tiles_get(&bus, CORE(WRITE_SETS)), (unsigned long)mho_tiles_get(&bus, CORE(WRITE_RESETS)),
         (unsigned long)mho_tiles_get(&bus, CORE(WRITE_READS)), (unsigned long)faults,
         (unsigned long)mho_tiles_get(&bus, CORE(WRITE_CYCLES_TOTAL_LOW)));
  return 0;
}

int main(void) {
  int failed;
  board_start();
  failed = mho_tiles_load(&bus, &network);
  /* Cells in block RAM are written once, and do not answer to pulses. */
  mho_tiles_write_all(&bus, data_loads, DATA_LOADS, data_load_words);
  if (!failed) failed = classify();
  if (!failed && !DATA_LOADS) failed = program();
  printf(failed ? "failed: %d\n" : "done\n", failed);
  board_end();
  return 0;
}
