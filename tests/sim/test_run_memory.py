"""Memory of a run in a process of its own: it does not grow with images and seeds."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import pathlib, sys
import numpy as np
import mho, mho.runs.running
mho.runs.running.KEPT_BYTES = mho.runs.running.SHOWN_BYTES = 1 << 22
images, seeds = int(sys.argv[1]), int(sys.argv[2])
net = mho.load(sys.argv[3])
x = np.random.default_rng(0).uniform(size=(images, *net.network.model.input_shape)).astype("f4")
kept = {"": None, "kept": True}[sys.argv[4]]
r = net.run(x, seeds=seeds, keep_codes=kept)
# Not getrusage: its figure starts from what the process that started this one needed.
status = pathlib.Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0]) / 1000
print(peak, sum(f["columns"] * f["positions"] for f in r.layers()))
"""


def measure(net: Path, images: int, seeds: int, mode: str = "") -> tuple[float, int]:
    """Largest memory in MB, and codes of an image."""
    words = [sys.executable, "-c", SCRIPT, str(images), str(seeds), str(net), mode]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    peak, codes = done.stdout.split()
    return float(peak), int(codes)


@pytest.mark.long
def test_memory_does_not_grow(tmp_path: Path) -> None:
    import mho
    from tests.compiler.test_stages import tiny

    model, x = tiny(size=24, channels=8)
    model_file = tmp_path / "m.onnx"
    model_file.write_bytes(model.SerializeToString())
    net = mho.compile(model_file, "neurram-core", calibrate=x, seeds=1, samples=16)
    net.save(tmp_path / "n.mho")
    # Both more than a batch: within one, memory grows with the images that are in flight.
    few, codes = measure(tmp_path / "n.mho", 1100, 1)
    many, _ = measure(tmp_path / "n.mho", 2200, 2)
    with_codes, _ = measure(tmp_path / "n.mho", 2200, 2, "kept")
    all_codes, inputs = 2200 * 2 * 2 * codes / 1e6, 1100 * 4 * 8 * 24 * 24 / 1e6
    assert many - few < 2.5 * inputs + 20
    assert with_codes - many > 0.6 * all_codes > 100
