"""Networks of ``examples/models`` with their data: what they have in float is what the documents say."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import mho

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(("name", "pixels", "percent"), [
    ("fashion14_cnn", 14, 83.4),
    ("fashion14_resnet8", 14, 83.4),
    ("fashion14_resnet8_noise", 14, 80.6),
    ("fashion28_resnet8", 28, 84.6),
    ("fashion28_resnet8_noise", 28, 85.0),
])
def test_networks_on_images_have_the_accuracy_that_is_told(name: str, pixels: int, percent: float) -> None:
    model = (EXAMPLES / "models" / f"{name}.onnx").read_bytes()
    with np.load(EXAMPLES / "data" / f"fashion_mnist{pixels}.npz", allow_pickle=False) as data:
        x, y = data["x_test"].astype(np.float32), data["y_test"]
        assert data["x_train"].shape == (2000, pixels, pixels)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: x})
    right = 100 * float((np.argmax(np.asarray(scores), axis=1) == y).mean())
    # An image that lies between two classes may fall to the other side with another onnxruntime.
    assert right == pytest.approx(percent, abs=0.41)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "points"), [("fashion28_resnet8", 4.0), ("fashion28_resnet8_noise", 2.0)])
def test_a_residual_network_keeps_its_accuracy_for_a_day(name: str, points: float) -> None:
    """Three chips beside float, on 250 images; with codes around the middle of the range it lost 14 to 33 points."""
    with np.load(EXAMPLES / "data" / "fashion_mnist28.npz", allow_pickle=False) as data:
        x, y, calibrate = data["x_test"][:250], data["y_test"][:250], data["x_train"]
    net = mho.compile(EXAMPLES / "models" / f"{name}.onnx", "neurram", calibrate=calibrate)
    result = net.run(x, time="1d", seeds=3)
    in_float = 100 * float((np.argmax(result.reference, axis=1) == y).mean())
    assert in_float - 100 * result.accuracy(y) < points + 1.0
