"""Commands of the C driver to the engine of a core, against a bus that is a memory: the words of simulations."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import OpLayout
from mho.hw.kinds import core_blocks
from mho.hw.kinds.pwm.engine.layout import Bank, Command, pack_command
from mho.macro_models.integer.pwm.calibration import VECTORS
from mho.macro_models.pwm.programming import read_number
from mho.rtl_gen.registers import c_driver, c_header
from mho.sim.core.commands.pwm import Commands
from tests.sim.kinds.test_conform_driver import listed, register

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
  static const int8_t vectors[] = {XS};
  static const int16_t should[] = {SHOULD};
  static const uint16_t targets[] = {TARGETS};
  uint16_t out[CORE_OUTPUTS];
  unsigned k;
  if (core_calibrate(&core, out, 3) != CORE_EBUSY) return 1;
  memory[CORE_STATUS / 4] = CORE_STATUS_READY_MASK;
  if (core_calibrate(&core, out, 3) != CORE_ETIMEOUT) return 2;
  memory[CORE_STATUS / 4] = CORE_STATUS_READY_MASK | CORE_STATUS_DONE_MASK;
  for (k = 0; k < CORE_OUTPUT_WORDS; k++) memory[CORE_OUTPUT / 4 + k] = 0xfedc1234u;
  printf("-\\n");
  if (core_calibrate(&core, out, 3) || out[0] != 0x1234u || out[1] != 0xfedcu) return 3;
  if (core_read(&core, CORE_BANK_TRIM_HIGH, NULL, 3)) return 4;
  if (core_program_line(&core, LINE, targets, out, 3)) return 5;
  return core_compensate(&core, CORE_AFFINE, STEP, vectors, should, 3);
}
"""


@pytest.mark.cosim("gcc")
@pytest.mark.parametrize("name", ["hermes-core", "pwm16-core"])
def test_the_driver_gives_commands_as_simulations_do(name: str, tmp_path: Path) -> None:
    chip = load_chip(name, {"programming.engine": True})
    assert "core_calibrate" not in c_driver(load_chip(name, {"programming.engine": False}), "core")
    rng, registers, lines, line, step = np.random.default_rng(1), core_blocks(chip).registers, chip.lines, 5, 1234
    vectors, should = rng.integers(-127, 128, (VECTORS, lines)), rng.integers(-4000, 4001, (VECTORS, lines))
    targets = rng.integers(0, 101, lines) | rng.integers(0, 2, lines) << 15
    values = {"XS": listed(vectors).replace("u", ""), "SHOULD": listed(should).replace("u", ""),
              "TARGETS": listed(targets), "LINE": line, "STEP": step}
    texts = {"core.h": c_header(registers, "core"), "driver.h": c_driver(chip, "core"), "main.c": MAIN,
             "values.h": "".join(f"#define {key} {value}\n" for key, value in values.items())}
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    gcc = ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c"]
    subprocess.run(gcc, cwd=tmp_path, check=True, timeout=120)
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, timeout=60)
    assert said.returncode == 0
    sequence = Commands()
    sequence.add(pack_command(Command.CALIBRATE))
    sequence.add(pack_command(Command.READ, bank=Bank.TRIM_HIGH))
    verify = int(texts["driver.h"].split("_VERIFY_STEP ")[1].split("u")[0])
    sequence.add(pack_command(Command.PROGRAM, number=read_number(line), step_code=verify), targets.astype("<u2"))
    for session, command in ((1, Command.RANGE), (2, Command.AFFINE)):
        sequence.measure(session, vectors, should, step)
        sequence.add(pack_command(command))
    assert verify > 1
    layout, at = OpLayout(), {entry.address: entry.name for entry in registers.registers}
    operation = register(registers, "operation")
    commands, words = list[tuple[int, list[int]]](), list[int]()
    fields: Any = {}
    for offset, word in (map(int, row.split()) for row in said.stdout.split("-\n")[1].splitlines()):
        entry = at.get(offset)
        if entry == "operation":
            fields = {f.field.name: word >> f.low & (1 << f.field.width) - 1 for f in operation.placed}
            words = []
        elif entry == "step":
            fields["step_code"] = word
        elif entry in ("op_id_low", "op_id_high"):
            fields["op_id"] = fields.get("op_id", 0) | word << (32 if entry == "op_id_high" else 0)
        elif entry == "control":
            commands.append((layout.const(fields).as_bits(), words))
        elif entry is None:
            assert offset == registers["input"].address + 4 * len(words)
            words.append(word)
    assert commands == list(zip(sequence.descriptors, sequence.inputs, strict=True))
    assert all(len(words) <= registers["input"].words for _, words in commands)
