"""A sweep that takes milliseconds a row: the small classifier of 16 lines, two chips, two times, three seeds."""

from pathlib import Path

import pytest

from tests.mho.conftest import Tiny

SWEEP = """schema = 1
chips = ["tnsa16-core"]
times = ["1s", "1d"]
seeds = 3
[axes]
"adc.bits" = [4, 6]
[networks.tiny]
model = "{folder}/tiny.onnx"
input = "{folder}/data.npz:x"
labels = "{folder}/data.npz:y"
images = 40
"""


@pytest.fixture(scope="session")
def sweep_text(tiny: Tiny) -> str:
    return SWEEP.format(folder=tiny.folder)


@pytest.fixture
def sweep_file(tmp_path: Path, sweep_text: str) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(sweep_text)
    return path
