"""A transformer's encoder block as PyTorch exports it: projections on arrays, attention at the host."""

import io
from typing import Any

import numpy as np
import onnxruntime
import pytest

import mho

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

TOKENS, PIXELS, WIDTH = 8, 8, 64


def exported() -> bytes:
    """Embedding, a block of width 64 with four heads, the mean over tokens, and a classifier, of opset 17."""
    import torch
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Linear(PIXELS, WIDTH), nn.Parameter(0.1 * torch.randn(TOKENS, WIDTH))
            self.block = nn.TransformerEncoderLayer(
                WIDTH, 4, 2 * WIDTH, activation="gelu", batch_first=True, norm_first=True)
            self.head = nn.Linear(WIDTH, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.block(self.embed(x) + self.place).mean(1))

    torch.manual_seed(0)
    file = io.BytesIO()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        torch.onnx.export(Classifier().eval(), (torch.zeros(1, TOKENS, PIXELS),), file, opset_version=17,
                          dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}})
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_projections_of_an_encoder_block_are_on_arrays_and_attention_at_the_host() -> None:
    model, rng = exported(), np.random.default_rng(0)
    x = rng.random((64, TOKENS, PIXELS)).astype(np.float32)
    exact = np.asarray(onnxruntime.InferenceSession(model).run(None, {"x": x})[0])[32:]
    net = mho.compile(model, "neurram-core", calibrate=x[:32], device="ideal")
    outputs = np.asarray(net.run(x[32:], device="ideal").outputs)
    # One that was trained has less: its outputs are larger beside their errors.
    assert np.linalg.norm(outputs - exact) < 0.03 * np.linalg.norm(exact)
    summary = net.summary()
    assert summary["host"] == ["LayerNormalization", "MatMul Softmax MatMul", "LayerNormalization"]
    assert [(layer["inputs"], layer["outputs"]) for layer in summary["layers"]] == [
        (8, 64), (64, 192), (64, 64), (64, 128), (128, 64), (64, 10)]
