import numpy as np
import pytest

import mho
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.importer.reading.pytorch import onnx_of_torch
from mho.compiler.inputs import load_inputs
from mho.compiler.options import layer_name

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")

from tests.torch_models import MODELS, nn  # noqa: E402


@pytest.mark.parametrize("name", MODELS)
def test_a_module_is_imported_as_it_computes_in_inference(name: str) -> None:
    torch.manual_seed(0)
    build, shape = MODELS[name]
    module, x = build(), np.random.default_rng(0).uniform(-1, 1, (7, *shape)).astype("f4")
    module.train()
    network = import_onnx(onnx_of_torch(module, load_inputs(x)))
    assert module.training
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.compute(x).reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_module_an_exported_program_and_onnx_compile_alike() -> None:
    pytest.importorskip("onnxscript", reason="onnxscript is missing: pip install 'mho[torch]'")
    torch.manual_seed(0)
    module, x = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval(), torch.rand(20, 6)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("n")},))
    proto = onnx_of_torch(module, x.numpy())
    codes = [
        mho.compile(model, "tnsa16-core", calibrate=x.numpy(), in_parts=1).run(x.numpy(), seed=3).codes
        for model in (module, program, proto, proto.SerializeToString())
    ]
    for same_codes in codes[1:]:
        for of_layer, of_other in zip(codes[0].values(), same_codes.values(), strict=True):
            np.testing.assert_array_equal(of_layer, of_other)


@pytest.mark.slow
def test_where_torchscript_fails_layers_have_the_names_of_modules(capfd: pytest.CaptureFixture[str]) -> None:
    """A mean to a size that divides no other has a form in ``torch.export`` alone."""
    pytest.importorskip("onnxscript", reason="onnxscript is missing: pip install 'mho[torch]'")
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(2), nn.Conv2d(3, 3, 1), nn.Flatten())
    module, x = nn.Sequential(nn.Conv2d(1, 2, 2), body, nn.Linear(12, 3)), np.ones((4, 1, 4, 4), np.float32)
    proto = onnx_of_torch(module, x)
    names = [node.name for node in proto.graph.node if node.op_type in ("Conv", "Gemm")]
    assert names == ["/0/Conv", "/1/0/Conv", "/1/2/Conv", "/2/Gemm"]
    assert len({node.name for node in proto.graph.node}) == len(proto.graph.node)
    assert layer_name(names, "1.2") == "/1/2/Conv"
    assert not capfd.readouterr().out


def test_a_layer_in_a_sequence_goes_by_the_name_of_its_module() -> None:
    assert layer_name(["/4/first/Conv", "/4/beside/beside.0/Conv"], "4.beside.0") == "/4/beside/beside.0/Conv"


def test_what_cannot_be_exported_is_refused_in_a_sentence() -> None:
    class Odd(nn.Module):
        def forward(self, x: object) -> object:
            raise RuntimeError("no such thing")

    with pytest.raises(mho.InputError, match="Odd cannot be exported by PyTorch"):
        mho.compile(Odd(), "tnsa16-core", calibrate=np.ones((4, 3)))
