"""Networks and images that ship with the command, for its demo and for examples.

``digits.onnx`` and ``fashion14.onnx`` are small classifiers that take pixels as they are; ``digits.npz`` and
``fashion14.npz`` hold images that they were not trained on (``x``, and their classes ``y``) and some that they were,
for calibration (``calibrate``). ``examples/models/train.py`` writes all four.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SAMPLES", "Sample", "load_sample"]

SAMPLES = {
    "digits": "digits 8x8",
    "fashion14": "Fashion-MNIST 14x14",
}
"""Names and what they are."""

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A classifier with its data."""

    name: str
    title: str
    """Key and value of :data:`SAMPLES`."""
    model: Path
    """ONNX file."""
    x: "NDArray[np.float32]"
    y: "NDArray[np.int64]"
    """Test images (images, ...), float32, and their classes (images,)."""
    calibrate: "NDArray[np.float32]"
    """Training images for calibration."""


def load_sample(name: str) -> Sample:
    """One of :data:`SAMPLES`."""
    import numpy as np

    with np.load(_FOLDER / f"{name}.npz", allow_pickle=False) as arrays:
        return Sample(
            name=name, title=SAMPLES[name], model=_FOLDER / f"{name}.onnx",
            x=arrays["x"].astype(np.float32), y=arrays["y"].astype(np.int64),
            calibrate=arrays["calibrate"].astype(np.float32),
        )
