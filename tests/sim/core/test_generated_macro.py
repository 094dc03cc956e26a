"""The ideal macro in Verilog that users start from has the law of the converter for which networks are compiled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from compiler import CompileOptions, Network, compile_for_chip
from hw.config import Chip, MacroSection, kind_names, load_chip, preset_names
from hw.kinds import core_blocks
from macro_models import MacroModel, load_device
from rtl_gen.kinds import macro_texts_of
from rtl_gen.macro.signals import contract_signals
from sim.build.simulators import verilator_build
from sim.core.cosim import CosimBackend
from sim.core.cosim_core import CosimCore
from sim.core.process import Simulation
from sim.executor import execute
from sim.functional import FunctionalBackend


class WithGeneratedMacro(CosimBackend):
    """The generated core with the generated macro behind its pins, whose cells are those of the model."""

    folder: Path

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        (core,) = cores
        self.rows = chip.macro_config().cell_map.rows
        cells = self.folder / "cells.hex"
        cells.write_text("\n".join(f"{code:x}" for code in core.cells.reshape(-1).tolist()))
        program = verilator_build(chip, own_macro=True)
        simulation = Simulation(replace(program, program=(*program.program, f"+cells={cells}")))
        self._core, self._chip = CosimCore.of(simulation, chip), chip


def as_users(chip: Chip, folder: Path) -> Chip:
    """The chip with the generated macro as its user's own, named pin by pin."""
    text = macro_texts_of(chip).model("start_macro", replace(chip, macro=None))
    (folder / "start_macro.v").write_text(f"`define CELLS_FILE\n{text}")
    pins: dict[str, str | int | list[str]] = {name: name for name in contract_signals(core_blocks(chip).pins)}
    macro = MacroSection(module="start_macro", files=("start_macro.v",), pins=pins)
    return replace(chip, macro=macro, folder=folder)


def network(chip: Chip) -> tuple[Network, np.ndarray]:
    """A layer of weights of both signs and a bias, on one core."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(7, 5)).astype(np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 7])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(rng.normal(size=5).astype(np.float32), "b")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    x = rng.normal(size=(40, 7)).astype(np.float32)
    options = CompileOptions(copies=1)
    return compile_for_chip(model.SerializeToString(), chip, calibrate=x, device="ideal", options=options), x


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kind", kind_names())
def test_a_compiled_network_has_the_same_bits_on_it(kind: str, tmp_path: Path) -> None:
    chips = [load_chip(name) for name in preset_names()]
    smallest = min((c for c in chips if c.core.kind == kind and not c.tiled), key=lambda c: c.lines)
    net, x = network(as_users(smallest, tmp_path))
    backend = WithGeneratedMacro()
    backend.folder = tmp_path
    ideal = load_device("ideal")
    expected = execute(net, FunctionalBackend(), x, device=ideal, seed=0).outputs
    result = execute(net, backend, x, device=ideal, seed=0).outputs
    backend.close()
    assert len(np.unique(expected)) > 50
    assert np.array_equal(result, expected)
