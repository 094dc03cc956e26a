"""The C driver of a core of each kind, against a bus that is a memory: it writes what the core's streams take."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip, preset_names
from mho.hw.core.shape import MASKS
from mho.hw.host.registers import Register, RegisterMap
from mho.hw.kinds import core_blocks
from mho.macro_models.integer.operation import Direction
from mho.rtl_gen.registers import c_driver, c_header
from mho.sim.core.kinds import simulated
from mho.sim.core.words import input_words, output_codes

MAIN = """
#include <stdio.h>
#include "driver.h"
#include "values.h"

static uint32_t memory[1 << 14];
static uint32_t get(void *bus, uint32_t offset) { return ((uint32_t *)bus)[offset / 4]; }
static void put(void *bus, uint32_t offset, uint32_t word) {
  printf("%u %u\\n", (unsigned)offset, (unsigned)word);
  if (offset != CORE_STATUS && offset != CORE_CONTROL) ((uint32_t *)bus)[offset / 4] = word;
}

int main(void) {
  const core_t core = {get, put, memory};
  const core_op_t op = {BACKWARD, IN_BITS, 1, OUT_BITS, 0, 0, 1, 2, 3, 777, 0x123456789abcdefu};
  static const int16_t codes[] = {CODES};
  static const uint32_t masks[][CORE_MASK_WORDS] = {MASKS};
  static const uint32_t answer[] = {ANSWER};
  int16_t out[CORE_OUTPUTS];
  unsigned k;
  memory[CORE_STATUS / 4] = CORE_STATUS_READY_MASK | CORE_STATUS_DONE_MASK;
  memory[CORE_ID / 4] = IDENTITY;
  memory[CORE_GEOMETRY / 4] = GEOMETRY;
  for (k = 0; k < CORE_OUTPUT_WORDS; k++) memory[CORE_OUTPUT / 4 + k] = answer[k];
  if (core_probe(&core) || core_inputs(&op) != sizeof codes / sizeof *codes) return 1;
  for (k = 0; k < sizeof masks / sizeof *masks; k++) core_set_mask(&core, (int)k, masks[k]);
  if (core_multiply(&core, &op, codes, out, 10)) return 2;
  for (k = 0; k < CORE_OUTPUTS; k++) printf("%d\\n", out[k]);
  return 0;
}
"""


def listed(values: object) -> str:
    return ", ".join(f"{int(v)}u" if v >= 0 else str(int(v)) for v in np.ravel(values))  # pyright: ignore[reportArgumentType, reportCallIssue]


def register(registers: RegisterMap, name: str) -> Register:
    entry = registers[name]
    assert isinstance(entry, Register)
    return entry


def constant(registers: RegisterMap, name: str) -> int:
    return sum(f.field.reset << f.low for f in register(registers, name).placed)


def spoken(chip: Chip, direction: Direction, folder: Path) -> None:
    """Compile the driver, and compare what it writes and what it takes with the words of the core's streams."""
    blocks, rng = core_blocks(chip), np.random.default_rng(chip.lines + 7 * direction)
    registers, cfg = blocks.registers, blocks.cfg
    op = chip.operation(in_bits=chip.input_bits, in_signed=True)
    low, high = op.input_range
    x = rng.integers(low, high + 1, (1, chip.macro_config().inputs(direction)))
    masks = rng.random((MASKS, max(cfg.mask_words * 32, 1))) < 0.5
    file = simulated(chip).image(cfg).new_file(cfg)
    written = [file.words(mask, masks[mask, : file.masks.shape[1]]) for mask in range(MASKS)]
    answer = rng.integers(0, 2**32, registers["output"].words, dtype=np.uint64)
    fields = {
        "BACKWARD": int(direction), "IN_BITS": op.in_bits, "OUT_BITS": op.out_bits,
        "CODES": listed(x).replace("u", ""), "ANSWER": listed(answer),
        "MASKS": ", ".join("{" + listed([word for _, word in mask]) + "}" for mask in written),
        "IDENTITY": f"{constant(registers, 'id')}u",
        "GEOMETRY": f"{constant(registers, 'geometry')}u",
    }
    (folder / "core.h").write_text(c_header(registers, "core"))
    (folder / "driver.h").write_text(c_driver(chip, "core"))
    (folder / "values.h").write_text("".join(f"#define {name} {value}\n" for name, value in fields.items()))
    (folder / "main.c").write_text(MAIN)
    gcc = [shutil.which("gcc") or "gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c"]
    subprocess.run(gcc, cwd=folder, check=True)
    lines = subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    codes = [int(line) for line in lines if " " not in line]
    assert np.array_equal(codes, output_codes(answer.astype(np.uint32), cfg.outputs)[0])
    puts = [(int(line.split()[0]), int(line.split()[1])) for line in lines if " " in line]
    at, inputs = registers["masks"].address, registers["input"].address
    expected = [(at + 4 * address, word) for mask in written for address, word in mask]
    assert puts[: len(expected)] == expected
    words = dict(puts[len(expected) :])
    packed = input_words(x)
    assert [words.pop(inputs + 4 * k) for k in range(len(packed))] == packed.tolist()
    assert {entry.name for entry in registers.registers if entry.address in words} == {
        "operation", "step", "op_id_low", "op_id_high", "control", "status",
    }
    assert len(words) == 6
    assert words[registers["step"].address] == 777
    operation = register(registers, "operation")
    chosen = {
        f.field.name: words[operation.address] >> f.low & (1 << f.field.width) - 1 for f in operation.placed
    }
    assert chosen == {
        "backward": int(direction), "in_bits": op.in_bits, "in_signed": 1, "out_bits": op.out_bits, "binary": 0,
        "relu": 0, "early_stop": 1, "wl_select": 2, "line_select": 3, "mode": 0,
    }


@pytest.mark.slow
@pytest.mark.cosim("gcc")
@pytest.mark.parametrize("name", preset_names())
def test_the_driver_speaks_as_the_streams_do(name: str, tmp_path: Path) -> None:
    chip = load_chip(name)
    for direction in Direction if core_blocks(chip).cfg.two_way else [Direction.FORWARD]:
        spoken(chip, direction, tmp_path)
