"""Quantised modules of PyTorch as PT2E (torchao) and Brevitas make them: weights at their scales, limits of values."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import mho
from mho.compiler.importer.onnx_import import import_onnx

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")
pytest.importorskip("onnxscript", reason="onnxscript is missing: pip install 'mho[torch]'")
decomposed = pytest.importorskip("torch.ao.quantization.fx._decomposed")

from tests.torch_models import nn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of torch's own exporter

STEP = 2.0 / 255


class Rounded(nn.Module):
    """Weights of 8 bits by channel and values of 8 bits, by the operators that PT2E writes."""

    def __init__(self) -> None:
        super().__init__()
        scale = torch.tensor([0.002, 0.003, 0.004, 0.0025, 0.0035])
        self.register_buffer("weight", torch.randint(-128, 128, (5, 6), dtype=torch.int8))
        self.register_buffer("scale", scale)
        self.register_buffer("zero", torch.zeros(5, dtype=torch.int64))

    def forward(self, x: Any) -> Any:
        ops, of_values = torch.ops.quantized_decomposed, (STEP, 128, 0, 255, torch.uint8)
        x = ops.dequantize_per_tensor(ops.quantize_per_tensor(x, *of_values), *of_values)
        weight = ops.dequantize_per_channel(self.weight, self.scale, self.zero, 0, -128, 127, torch.int8)
        return nn.functional.linear(x, weight).relu()


def exported(module: Any, x: Any) -> Any:
    return torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("n", min=2)},))


def by_onnxruntime(program: Any, x: Any, path: Path) -> tuple[str, np.ndarray]:
    torch.onnx.export(program, (), dynamo=True, verbose=False).save(str(path))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return str(path), session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def assert_equal_but_at_ties(actual: np.ndarray, expected: np.ndarray) -> None:
    """PyTorch multiplies by a step's reciprocal where ONNX divides by the step: a value between two codes takes either,
    and which one depends on the processor."""
    assert np.mean(np.abs(actual - expected) > 1e-5) < 0.05
    np.testing.assert_allclose(actual, expected, atol=0.02 * np.abs(expected).max())


def assert_on_ideal_cells(model: Any, x: Any, expected: np.ndarray, error: float) -> None:
    """Within ``error`` of the deviation of what is expected, root mean square."""
    run = mho.compile(model, "tnsa64-core", calibrate=x.numpy(), tolerance=0.0).run(x.numpy(), device="ideal", time=0)
    assert np.sqrt(np.mean((run.outputs - expected) ** 2)) < error * expected.std()


@pytest.mark.slow
def test_pt2e_s_operators_as_a_program_a_module_and_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.rand(64, 6) * 2 - 1
    program = exported(Rounded(), x)
    path, expected = by_onnxruntime(program, x, tmp_path / "model.onnx")
    assert_equal_but_at_ties(program.module()(x).numpy(), expected)
    # Values keep their limits alone: half a step of each input is what rounding may move.
    most = STEP / 2 * np.abs(program.state_dict["weight"].numpy() * program.state_dict["scale"].numpy()[:, None]).sum(1)
    assert (np.abs(import_onnx(path).compute(x.numpy()) - expected) <= most + 1e-5).all()
    for model in (program, program.module(), path):
        assert_on_ideal_cells(model, x, expected, 0.03)


@pytest.mark.slow
def test_pt2e_of_torchao(tmp_path: Path) -> None:
    pt2e = pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
    x86 = pytest.importorskip("torchao.quantization.pt2e.quantizer.x86_inductor_quantizer")
    torch.manual_seed(0)
    module, x = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5),
    ).eval(), torch.rand(64, 1, 6, 6) * 2 - 1
    quantiser = x86.X86InductorQuantizer().set_global(x86.get_default_x86_inductor_quantization_config())
    prepared = pt2e.prepare_pt2e(exported(module, x).module(), quantiser)
    prepared(x)
    quantised = pt2e.convert_pt2e(prepared)
    path, expected = by_onnxruntime(exported(quantised, x), x, tmp_path / "model.onnx")
    assert_equal_but_at_ties(quantised(x).detach().numpy(), expected)
    for model in (quantised, path):
        assert_on_ideal_cells(model, x, expected, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["export_onnx_qcdq", "export_qonnx"])
def test_brevitas(form: str, tmp_path: Path) -> None:
    qnn = pytest.importorskip("brevitas.nn")
    export = pytest.importorskip("brevitas.export")
    torch.manual_seed(0)
    module, x = nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantConv2d(1, 4, 3, padding=1, weight_bit_width=4),
        qnn.QuantReLU(bit_width=6, return_quant_tensor=True), nn.MaxPool2d(2), nn.Flatten(),
        qnn.QuantLinear(36, 5, bias=True, weight_bit_width=4),
    ), torch.rand(64, 1, 6, 6) * 2 - 1
    module(x)  # finds the ranges
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    getattr(export, form)(module, args=x[:1], export_path=str(tmp_path / "model.onnx"))
    assert_on_ideal_cells(str(tmp_path / "model.onnx"), x, expected, 0.05)
