/* The SoCs of soc.py and ulx3s.py: VexRiscv, and what LiteX put around it. */
#ifndef BOARD_H
#define BOARD_H

#include <generated/csr.h>
#include <generated/mem.h>
#include <generated/soc.h>
#include <irq.h>
#include <stdint.h>
#include <stdio.h>

#define BOARD_TILE TILE_BASE
#define BOARD_CFU (1u << 31) /* in the same register as the mask of interrupts: custom instructions are legal */

static int board_put(char c, FILE *file) {
  (void)file;
  while (uart_txfull_read()) continue;
  uart_rxtx_write((uint32_t)c);
  return c;
}

static FILE board_console = FDEV_SETUP_STREAM(board_put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &board_console;

static inline uint32_t board_cycles(void) {
  timer0_update_value_write(1);
  return 0xffffffffu - timer0_value_read();
}

static inline uint32_t board_bus_cycles(void) { return tile_bus_cycles_read(); }

static inline int board_interrupt(void) { return (int)(irq_pending() >> TILE_INTERRUPT & 1u); }

static inline void board_end(void) {
  while (!uart_txempty_read()) continue;
#ifdef CSR_END_BASE
  for (volatile int k = 0; k < 200; k++) continue; /* the simulator has printed it, too */
  end_now_write(1);
#endif
  while (1) continue;
}

/* Exceptions: an access that the bus has answered with an error, above all. */
__attribute__((aligned(4))) static void board_trap(void) {
  printf("trap: cause %lu at %#lx\n", (unsigned long)csrr(mcause), (unsigned long)csrr(mepc));
  board_end();
}

static inline void board_start(void) {
  __asm__ volatile("csrw mtvec, %0" ::"r"(board_trap));
  timer0_en_write(0);
  timer0_load_write(0xffffffffu);
  timer0_reload_write(0xffffffffu);
  timer0_en_write(1);
  tile_ev_enable_write(1);
  irq_setmask(1u << TILE_INTERRUPT | BOARD_CFU);
}

#endif
