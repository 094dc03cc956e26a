"""The ideal macro in Verilog that users start from has the law of the converter for which networks are compiled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from mho.compiler import CompileOptions, Network, compile_for_chip
from mho.hw.config import Chip, MacroSection, kind_names, load_chip, preset_names
from mho.hw.kinds import core_blocks, timing
from mho.macro_models import MacroModel, load_device
from mho.rtl_gen.kinds import macro_texts_of
from mho.rtl_gen.macro.contract import contract_signals
from mho.sim.build.simulators import verilator_build
from mho.sim.core.bench.verify import verify_core
from mho.sim.core.cosim import CosimBackend
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.process import Simulation
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend


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
        self._core, self._chip, self._timing = CosimCore.of(simulation, chip), chip, timing(chip)


def as_users(chip: Chip, folder: Path) -> Chip:
    """The chip with the generated macro as its user's own, named pin by pin."""
    text = macro_texts_of(chip).model("start_macro", replace(chip, macro=None))
    (folder / "start_macro.v").write_text(f"`define CELLS_FILE\n{text}")
    pins: dict[str, str | int | list[str]] = {name: name for name in contract_signals(core_blocks(chip).pins)}
    macro = MacroSection(module="start_macro", files=("start_macro.v",), pins=pins)
    return replace(chip, macro=macro, folder=folder)


def smallest(kind: str) -> Chip:
    chips = [load_chip(name) for name in preset_names()]
    return min((chip for chip in chips if chip.core.kind == kind and not chip.tiled), key=lambda chip: chip.lines)


def network(chip: Chip, inputs: int = 7) -> tuple[Network, np.ndarray]:
    """A layer of weights of both signs and a bias, on one core."""
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(inputs, 5)).astype(np.float32)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", inputs])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])],
            [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(rng.normal(size=5).astype(np.float32), "b")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
    )
    x = rng.normal(size=(40, inputs)).astype(np.float32)
    options = CompileOptions(copies=1)
    return compile_for_chip(model.SerializeToString(), chip, calibrate=x, device="ideal", options=options), x


def same_bits(net: Network, x: np.ndarray, folder: Path) -> None:
    """The network gives the same behind the pins as on the numpy model."""
    backend = WithGeneratedMacro()
    backend.folder = folder
    ideal = load_device("ideal")
    expected = execute(net, FunctionalBackend(), x, device=ideal, seed=0).outputs
    result = execute(net, backend, x, device=ideal, seed=0).outputs
    backend.close()
    assert len(np.unique(expected)) > 50
    assert np.array_equal(result, expected)


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kind", kind_names())
def test_a_compiled_network_has_the_same_bits_on_it(kind: str, tmp_path: Path) -> None:
    net, x = network(as_users(smallest(kind), tmp_path))
    same_bits(net, x, tmp_path)


SMALL = """
module small_macro (
  input wire clk, backward, input wire [9:0] bl_pos, bl_neg, wl_en, input wire [11:0] sl_pos, sl_neg,
  input wire precharge, sample, compare, latch, decrement, input wire [2:0] plane, dec_scale,
  input wire [15:0] step_code, output wire [11:0] cmp
);
  wire [15:0] all;
  wire [3:0] none = 4'd0;
  assign cmp = all[11:0];
  start_macro array (
    .clk(clk), .backward(backward), .bl_pos({6'd0, bl_pos}), .bl_neg({6'd0, bl_neg}), .wl_en({6'd0, wl_en}),
    .sl_pos({none, sl_pos}), .sl_neg({none, sl_neg}), .precharge(precharge), .sample(sample), .plane(plane),
    .compare(compare), .latch(latch), .decrement(decrement), .dec_scale(dec_scale), .step_code(step_code),
    .op_id(64'd0), .cmp(all), .hold()
  );
endmodule
"""
OPEN: dict[str, str | int | list[str]] = {
    "bl_pos": "{open(6), bl_pos}", "bl_neg": "{open(6), bl_neg}", "wl_en": "{open(6), wl_en[9:0]}",
    "sl_pos": "{open(4), sl_pos}", "sl_neg": "{open(4), sl_neg}", "cmp": "{4'd0, cmp}",
}


def small(folder: Path) -> Chip:
    """A chip whose macro has 10 bit lines and 12 source lines behind a core of 16."""
    chip = load_chip("tnsa16-core", {"programming.engine": False})
    text = macro_texts_of(chip).model("start_macro", chip)
    text = text.replace("cells[16 * bl + sl] = ", "cells[16 * bl + sl] = bl > 9 || sl > 11 ? 0 : ")
    (folder / "small_macro.v").write_text(f"`define CELLS_FILE\n{text}{SMALL}")
    pins: dict[str, str | int | list[str]] = {
        name: name for name in contract_signals(core_blocks(chip).pins) if name not in ("op_id", "hold")
    }
    return replace(
        chip, macro=MacroSection(module="small_macro", files=("small_macro.v",), pins=pins | OPEN), folder=folder
    )


@pytest.mark.slow
@pytest.mark.cosim
def test_a_network_has_the_same_bits_on_a_macro_that_is_smaller_than_the_core(tmp_path: Path) -> None:
    chip = small(tmp_path)
    assert ("lines of its macro", "10 bit lines, 12 source lines") in chip.sizes()
    net, x = network(chip, inputs=4)
    for image in net.cores:
        assert image.bl_skip.tolist() == [False] * 10 + [True] * 6
        assert image.sl_skip.tolist() == [False] * 12 + [True] * 4
    for layer in net.layers:
        for mvm in layer.mvms:
            assert max(mvm.rows) < 5
            assert max(mvm.columns) < 12
    same_bits(net, x, tmp_path)
    report = verify_core(chip, operations=20)
    assert report.operations == 20
