"""A network on phase-change cores: drift, and what the cores do against it, through the executor and the command."""

from pathlib import Path

import numpy as np
import pytest

from mho.cli import run
from mho.compiler.network import Network
from mho.compiler.options import CompileOptions
from mho.compiler.passes import compile_model
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.macro_models.kinds import family
from mho.sim.executor import build_cores, execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node
from tests.sim.outputs import float_outputs

YEAR = 31_557_600.0
X = np.random.default_rng(4).standard_normal((64, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> bytes:
    rng = np.random.default_rng(3)
    weights = {
        "w0": rng.standard_normal((6, 12)).astype(np.float32), "b0": rng.standard_normal(12).astype(np.float32),
        "w1": rng.standard_normal((12, 4)).astype(np.float32), "b1": rng.standard_normal(4).astype(np.float32),
    }
    nodes = [node("Gemm", "x w0 b0", "h"), node("Relu", "h", "r"), node("Gemm", "r w1 b1", "y")]
    return build(nodes, weights).SerializeToString()


@pytest.fixture(scope="module")
def network(model: bytes) -> Network:
    options = CompileOptions(in_parts=1, tolerance=0.02)
    return compile_model(model, load_chip("pwm16-core"), calibrate=X, options=options)


def error(network: Network, how: str | None, time_s: float) -> float:
    outputs = [
        execute(network, FunctionalBackend(), X, seed=seed, time_s=time_s, compensation=how).outputs
        for seed in range(4)
    ]
    return float(np.sqrt(((np.stack(outputs) - float_outputs(network, X)) ** 2).mean()))


@pytest.mark.slow
def test_compensation_brings_a_network_back(network: Network) -> None:
    lost = {how: error(network, how, YEAR) for how in ("none", "global", "column", "affine", None)}
    assert lost["none"] > 1.2 * lost["global"]
    assert lost["none"] > 1.2 * lost["affine"]
    assert lost[None] == lost["affine"]


def test_results_do_not_depend_on_batches(network: Network) -> None:
    whole, batched = (
        execute(network, FunctionalBackend(), X, time_s=YEAR, compensation="global", batch=batch).outputs
        for batch in (64, 7)
    )
    assert np.array_equal(whole, batched)
    (core,), (fresh,) = (build_cores(network, time_s=YEAR, compensation=how) for how in ("affine", "none"))
    assert core.state()["range_code"] < fresh.state()["range_code"] == 1 << 15
    assert family("pwm").model.from_state(core.state()).state()["offset"].tolist() == core.state()["offset"].tolist()


def test_the_command_compensates_what_can_be(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.save(tmp_path / "n.mho")
    np.save(tmp_path / "x.npy", X)
    base = f"run {tmp_path}/n.mho --input {tmp_path}/x.npy --time 1y --compensation"
    assert run(f"{base} column".split()) == 0
    capsys.readouterr()
    assert run(f"{base} all".split()) == 2
    sentence = "--compensation must be one of none, global, column, affine for cores of kind pwm, not 'all'"
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_what_no_core_can_is_refused(network: Network) -> None:
    with pytest.raises(InputError, match="must be one of none, global, column, affine for cores of kind pwm"):
        build_cores(network, compensation="rows")
    with pytest.raises(InputError, match=r"must be one of none for cores of kind tnsa, not 'global'$"):
        family("tnsa").compensation("global")


def test_a_network_keeps_what_converters_found(network: Network, tmp_path: Path) -> None:
    network.save(tmp_path / "n.mho")
    loaded = Network.load(tmp_path / "n.mho")
    (stored,) = loaded.calibration.converters.cores
    (core,) = build_cores(loaded, compensation="none")
    assert core.state()["trim_gain"].tolist() == stored["trim_gain"] != np.zeros((2, 16), int).tolist()
    stored["gain"] = [100] * 16
    (core,), (core_of_seed_1,) = (build_cores(loaded, seed=seed, compensation="none") for seed in (0, 1))
    assert core.state()["gain"].tolist() == [100] * 16
    assert core_of_seed_1.state()["gain"].tolist() != [100] * 16
    (ideal,) = build_cores(loaded, device="ideal", compensation="none")
    assert ideal.state()["gain"].tolist() == [192] * 16
    for wrong in ([100] * 15, [256] * 16, "x", None):
        stored["gain"] = wrong
        with pytest.raises(InputError, match=r"^calibration.converters: gain must be whole numbers 0 to 255 of shape"):
            build_cores(loaded, compensation="none")
