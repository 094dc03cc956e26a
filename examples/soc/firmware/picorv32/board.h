/* The SoC of picorv32.v. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>
#include <stdio.h>

#define BOARD_TILE 0x80000000u
#define BOARD_IO ((volatile uint32_t *)0xf0000000u) /* read: interrupt, bus cycles; written: console, end */

static int board_put(char c, FILE *file) {
  (void)file;
  BOARD_IO[0] = (uint32_t)(unsigned char)c;
  return c;
}

static FILE board_console = FDEV_SETUP_STREAM(board_put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &board_console;

static inline uint32_t board_cycles(void) {
  uint32_t now;
  __asm__ volatile("rdcycle %0" : "=r"(now));
  return now;
}

static inline uint32_t board_bus_cycles(void) { return BOARD_IO[1]; }

static inline int board_interrupt(void) { return (int)BOARD_IO[0]; }

static inline void board_end(void) {
  BOARD_IO[1] = 1;
  while (1) continue;
}

static inline void board_start(void) {}

#endif
