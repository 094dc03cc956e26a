"""What C++ answers for rows that are driven and columns that are converted is what numpy answers strobe by strobe."""

import ctypes
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.kinds import model_from_state
from mho.rtl_gen.macro.body import dpi_body
from mho.sim.build.toolchain import HDL
from mho.sim.build.verilate import EXACT
from mho.sim.core.batch import Mode
from mho.sim.core.bench.stimulus import make_models
from mho.sim.core.simulator.shim import PackedPins, PinMacro
from mho.sim.kinds import has_rows
from mho.sim.pins import packed
from mho.sim.rows import RowQuestion
from tests.hw.kinds.array.configurations import random_chip

pytestmark = pytest.mark.cosim("g++")

STROBES = ("sample", "convert", "capture", "update")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("rows") / "pins.so"
    sources = [HDL / name for name in ("pins.cpp", "asking.cpp", "philox.cpp")]
    subprocess.run(["g++", "-std=c++17", *EXACT.split(), "-shared", "-fPIC", "-o", path, *sources], check=True)
    functions = ctypes.CDLL(str(path))
    functions.mho_pins_create.restype = ctypes.c_void_p
    return functions


class Macros:
    """Two macros of a chip with equal models: C++ answers for the first, Python for the second."""

    def __init__(self, library: Any, chip: Chip) -> None:
        layout = re.search(r'"([^"]*)", 8192', dpi_body(chip, "body"))
        assert layout is not None
        count, self._library = library.mho_pins_macros(), library
        self._handles = [library.mho_pins_create(b"top", layout[1].encode(), 8192) for _ in range(2)]
        self.macros = PinMacro.all_of(library)[count:]
        places = PackedPins(self.macros[0].call, library.mho_pins_bytes()).driven
        self.widths = {name: width for name, (_, width) in places.items()}

    def start(self, model: Any) -> None:
        for macro, mode in zip(self.macros, (Mode.LAZY, Mode.PIN_LEVEL), strict=True):
            macro.put_model(model_from_state(model.state()))
            macro.start(mode)

    def strobe(self, values: dict[str, int]) -> list[bytes]:
        pins, at = 0, 0
        for name, width in self.widths.items():
            pins |= values[name] << at
            at += width
        driven, answers = ctypes.create_string_buffer(pins.to_bytes(1024, "little"), 1024), []
        for handle in self._handles:
            answer = ctypes.create_string_buffer(1024)
            self._library.mho_pins_strobe(ctypes.c_void_p(handle), driven, answer)
            answers.append(answer.raw)
        assert not any(macro.failure for macro in self.macros)
        return answers


def random_pins(rng: np.random.Generator, widths: dict[str, int], steps: int, strobe: str) -> dict[str, int]:
    """Pins at a strobe; some word lines and step codes come again."""
    values = {name: packed(rng.integers(2, size=width), 1) for name, width in widths.items()}
    values |= {name: int(name == strobe) for name in STROBES if name in widths}
    values |= {"plane": int(rng.integers(steps)), "step_code": int(rng.choice([1, 40, 900]))}
    if "wl_en" in widths:
        few = np.random.default_rng(int(rng.integers(3))).random(widths["wl_en"]) < 0.8
        values["wl_en"] = packed(few.astype(np.int64), 1)
    if rng.integers(4) == 0:
        values["row_pos"] = values["row_neg"] = 0
    return values


def compare(library: Any, chip: Chip, device: str, seed: int, update: Update | None = None) -> int:
    """How many different answers to random strobes in random order there were, which are all equal."""
    rng, macros = np.random.default_rng(seed), Macros(library, chip)
    (model,) = make_models(chip, [device], seed)
    if update is not None:
        model.device = replace(model.device, update=update)
    macros.start(model)
    config, seen = model.config, set[bytes]()
    steps = 8 * config.steps.row_groups // config.steps.digit_bits if hasattr(config, "steps") else 8
    names = [name for name in STROBES if name in macros.widths]
    for _ in range(60):
        strobe = names[int(rng.choice(len(names), p=[0.6, *[0.4 / (len(names) - 1)] * (len(names) - 1)]))]
        lazy, at_pins = macros.strobe(random_pins(rng, macros.widths, steps, strobe))
        assert lazy == at_pins
        seen.add(lazy)
    return len(seen)


@pytest.mark.parametrize("device", ["ideal", "rram-neurram"])
@pytest.mark.parametrize("seed", range(16))
def test_any_array(library: Any, device: str, seed: int) -> None:
    assert compare(library, random_chip(seed, 40), device, seed) > 1


@pytest.mark.parametrize("keys", [
    {"adc.sigma_offset": 0.4, "adc.sigma_gain": 0.02, "adc.sigma_inl": 0.5, "adc.noise": 0.3}, {"adc.bits": 10},
])
@pytest.mark.parametrize("accumulate", ["digital", "analog"])
def test_converters_with_errors(library: Any, keys: dict[str, Any], accumulate: str) -> None:
    assert compare(library, load_chip("array-32", {**keys, "read.accumulate": accumulate}), "rram-neurram", 3) > 5


def test_cells_that_change(library: Any) -> None:
    chip = load_chip("array-32", {"core.weights": "offset", "programming.update": True})
    update = Update(model="soft", g_min_uS=1.0, g_max_uS=40.0, up_uS=1.9, down_uS=2.2, cycle_spread=0.4)
    assert compare(library, chip, "ideal", 2, update) > 10


def test_sums_of_bits(library: Any) -> None:
    assert compare(library, load_chip("sram-64"), "ideal", 1) > 10


def test_more_word_lines_than_are_kept(library: Any) -> None:
    macros, chip = Macros(library, load_chip("array-32")), load_chip("array-32")
    for model in make_models(chip, ["rram-neurram", "ideal"], 5):  # what is known of a model goes with it
        macros.start(model)
        rng = np.random.default_rng(0)
        for strobe in ("sample", *("sample", "capture") * 80):
            values = random_pins(rng, macros.widths, 8, strobe)
            values["wl_en"] = packed(rng.integers(2, size=32), 1)
            lazy, at_pins = macros.strobe(values)
            assert lazy == at_pins


def test_kinds_that_have_it() -> None:
    assert [kind for kind in ("array", "pwm", "sram", "tnsa", "none") if has_rows(kind)] == ["array", "sram"]


def test_the_structure_is_that_of_cpp(tmp_path: Path) -> None:
    source = tmp_path / "sizes.cpp"
    source.write_text('#include "rows.h"\n#include <iostream>\nint main() { std::cout << sizeof(RowQuestion); }\n')
    subprocess.run(["g++", "-std=c++17", f"-I{HDL}", "-c", "-o", tmp_path / "sizes.o", source], check=True)
    sources = [tmp_path / "sizes.o", HDL / "philox.cpp"]
    subprocess.run(["g++", "-std=c++17", "-o", tmp_path / "sizes", *sources], check=True)
    printed = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout
    assert int(printed) == ctypes.sizeof(RowQuestion)
