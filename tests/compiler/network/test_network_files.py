"""Network files with a valid checksum and wrong insides: a network that runs, or one sentence."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node, random_perceptron
from tests.compiler.network.sealed_archives import Members, damaged, header, members_of, npy, seal

RNG = np.random.default_rng(0)
OPTIONS = CompileOptions(seeds=1, samples=4, in_parts=1, tolerance=0.01)
CONVOLUTION = build(
    [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("Add", "c x", "a"), node("Relu", "a", "r"),
        node("MaxPool", "r", "m", kernel_shape=[2, 2], strides=[2, 2]), node("Sigmoid", "m", "s"),
        node("Flatten", "s", "f"), node("Gemm", "f w", "z"), node("Softmax", "z", "p"),
        node("ArgMax", "p", "y", axis=1),
    ],
    {"k": RNG.normal(size=(2, 2, 3, 3)).astype("f4"), "w": RNG.normal(size=(8, 3)).astype("f4")},
    shape=("n", 2, 4, 4), output=("n", 1), elem_type=7,
)
MODELS = {"perceptron": (random_perceptron([6, 5, 3]), (6,)), "convolution": (CONVOLUTION, (2, 4, 4))}


@pytest.fixture(scope="module", params=[*MODELS])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Members, np.ndarray]:
    model, shape = MODELS[request.param]
    x = np.random.default_rng(1).normal(size=(4, *shape)).astype(np.float32)
    path = tmp_path_factory.mktemp("network") / "net.mho"
    compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=OPTIONS).save(path)
    return members_of(path), x


def run(path: Path, x: np.ndarray) -> str:
    """What refuses the file, or nothing after a run."""
    try:
        network = Network.load(path)
        summarise(network)
        execute(network, FunctionalBackend(), x, time_s=86400.0)
        network.model.compute(x)
    except InputError as error:
        return str(error)
    return ""


def test_a_whole_file_runs(file: tuple[Members, np.ndarray], tmp_path: Path) -> None:
    seal(tmp_path / "net.mho", file[0])
    assert run(tmp_path / "net.mho", file[1]) == ""


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(50, 300, 50))])
def test_damage_ends_in_a_sentence(first: int, file: tuple[Members, np.ndarray], tmp_path: Path) -> None:
    members, x = file
    refused = 0
    for seed in range(first, first + 50):
        seal(tmp_path / "net.mho", damaged(members, seed))
        sentence = run(tmp_path / "net.mho", x)
        refused += bool(sentence)
        assert "\n" not in sentence
        assert len(sentence) < 700
        assert not sentence or sentence.startswith(str(tmp_path)) or "must be" in sentence, sentence
    assert refused > 10


@pytest.fixture
def members(tmp_path: Path) -> Members:
    x = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    compile_model(
        random_perceptron([6, 5, 3]), load_chip("tnsa16-core"), calibrate=x, options=OPTIONS
    ).save(tmp_path / "net.mho")
    return members_of(tmp_path / "net.mho")


def _rows(value: int) -> bytes:
    return npy(np.full(6, value, np.int32))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("core0.targets_uS", npy(np.ones((16, 15), "f4")), r"must be float32 of shape \[16, 16\], not .* \[16, 15\]"),
        ("core0.word_lines", npy(np.ones((8, 16))), r"must be bool of shape \[8, 16\], not float64"),
        ("core0.targets_uS", header("<f4", f"({2**40}, {2**20})"), r"must be float32 of shape \[16, 16\], not"),
        ("layer0.spread", _rows(6), r"layer0\.spread must be finite and from -1 to 5, not 6"),
        ("stage0.patches", npy(np.full((1, 6), 6, "i4")), r"stage0\.patches must be finite and from -1 to 5, not 6"),
        ("stage0.patches", npy(np.zeros((1, 5), "i4")), r"stage0\.pad must be int16 of shape \[5\]"),
        ("stage0.patches", npy(np.zeros((2, 6), "i4")), "positions of its calls must be 1, not 2"),
        ("step0.layer.weight", npy(np.full((5, 6), np.nan)), r"step0\.layer\.weight must be finite .* not nan"),
        ("step0.layer.bias", npy(np.ones(4)), r"step0\.layer\.bias must be float64 of shape \[5\], not .* \[4\]"),
        ("input.scale", npy(np.zeros(6)), r"input\.scale must be finite and from 1e-30 to 1e\+30, not 0"),
        ("output.scale", npy(np.ones(4)), r"output\.scale must be float64 of shape \[3\]"),
        ("layer0.mvm0.columns", None, r"layer0\.mvm0\.columns must be int32 of shape \[any\], not nothing"),
        ("layer0.bias", npy(np.array([{}], object)), "is damaged .it holds objects"),
    ],
)
def test_wrong_arrays(name: str, data: bytes | None, sentence: str, members: Members, tmp_path: Path) -> None:
    rest = {key: value for key, value in members.items() if key != f"{name}.npy"}
    seal(tmp_path / "net.mho", rest if data is None else rest | {f"{name}.npy": data})
    with pytest.raises(InputError, match=sentence):
        Network.load(tmp_path / "net.mho")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("cores", -1, "cores must be a whole number of at least 1, not -1"),
        ("cores", 10**9, r"core\d+\.\w+ must be .*, not nothing"),
        ("layers.0.mvms.0.core", 9, r"layer0\.mvms\[0\]\.core must be a whole number from 0 to \d, not 9"),
        ("layers.0.mvms.0.first", 7, r"layer0\.mvms\[0\]\.first must be a whole number from 0 to"),
        ("layers.0.mvms", [], r"layers\[0\]\.mvms must be a list of at least 1"),
        ("layers.0.shift", 99, r"layers\[0\]\.shift must be a whole number from 0 to 31, not 99"),
        ("layers.0.inputs", 2**60, r"layers\[0\]\.inputs must be a whole number from 1 to 2147483648"),
        ("stages.0.inputs", [5], r"stage0\.inputs\[0\] must be a whole number from 0 to 0, not 5"),
        ("stages.0.kind", "Frob", r'stage0\.kind must be one of "Call", .* not "Frob"'),
        ("stages.0.layer", 7, r"stage0\.layer must be a whole number from 0 to 1, not 7"),
        ("model.input_shape", [2, 2], r"must be"),
        ("model.host", [{"kind": "reshape", "parameters": {"shape": [7], "batch_axis": 0}}], "is no network file"),
        ("model.host", [{"kind": "cast", "parameters": {"dtype": "object"}}], r"dtype must be one of"),
        ("model.host", [{"kind": "look_up", "parameters": {"table": [1, 2, 3]}}], "is no network file"),
        ("calibration.cycles", [1.0], r"calibration\.cycles: numbers must be 2, not 1"),
        ("calibration.errors", [float("nan"), 0.0], r"calibration\.errors\[0\] must be .* not nan"),
        ("device", [], "device must be a table, not"),
        ("chip", {"schema": 1, "core": {"lines": 3}}, "chip: "),
        ("options.seeds", "many", "compile option seeds must be"),
    ],
)
def test_wrong_content(path: str, value: Any, sentence: str, members: Members, tmp_path: Path) -> None:
    content = json.loads(members["network.json"])
    inner: Any = content
    *way, last = path.split(".")
    for word in way:
        inner = inner[int(word) if word.isdecimal() else word]
    inner[last] = value
    seal(tmp_path / "net.mho", members | {"network.json": json.dumps(content).encode()})
    with pytest.raises(InputError, match=sentence):
        Network.load(tmp_path / "net.mho")


@pytest.mark.slow
def test_an_index_that_is_nested_or_large_without_end(members: Members, tmp_path: Path) -> None:
    for data in (b"[" * 100_000, b"{" * 100_000, b"9" * 100_000, b" " * (1 << 27), b"\xff"):
        seal(tmp_path / "net.mho", members | {"network.json": data})
        with pytest.raises(InputError, match="is no network file"):
            Network.load(tmp_path / "net.mho")
