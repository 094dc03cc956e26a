from typing import Any

import numpy as np
import pytest

import mho
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.importer.reading.pytorch import onnx_of_torch
from mho.compiler.inputs import load_inputs

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")
nn = torch.nn


class Recurrent(nn.Module):
    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.cell, self.out = cell(5, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.attention(x, x, x, need_weights=False)[0].mean(dim=1))


MODELS = {
    "linear": (lambda: nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4)), (12,)),
    "conv1": (lambda: nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 4)), (2, 8)),
    "conv2": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 4)
        ), (1, 6, 6),
    ),
    "conv3": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)), (1, 3, 3, 3)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.Sigmoid()), (2, 3, 3)),
    "rnn": (lambda: Recurrent(nn.RNN), (4, 5)),
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 5)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 5)),
    "attention": (Attention, (4, 8)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_module_is_imported_as_it_computes_in_inference(name: str) -> None:
    torch.manual_seed(0)
    build, shape = MODELS[name]
    module, x = build(), np.random.default_rng(0).uniform(-1, 1, (7, *shape)).astype("f4")
    module.train()
    network = import_onnx(onnx_of_torch(module, load_inputs(x)))
    assert module.training
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(network.compute(x).reshape(wanted.shape), wanted, rtol=1e-4, atol=1e-5)


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
    for others in codes[1:]:
        for of_layer, of_other in zip(codes[0].values(), others.values(), strict=True):
            np.testing.assert_array_equal(of_layer, of_other)


def test_what_cannot_be_exported_is_refused_in_a_sentence() -> None:
    class Odd(nn.Module):
        def forward(self, x: Any) -> Any:
            raise RuntimeError("no such thing")

    with pytest.raises(mho.InputError, match="Odd cannot be exported by PyTorch"):
        mho.compile(Odd(), "tnsa16-core", calibrate=np.ones((4, 3)))
