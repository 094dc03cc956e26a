"""The Verilog of a board behind its bus gives the bits of the functional backend."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.compiler import CompileOptions, compile_model
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.macro_models import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.board.backend import PARTS, FpgaSimBackend
from mho.sim.board.driver import read_info
from mho.sim.core.bench.stimulus import make_stimulus
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import random_perceptron
from tests.compiler.importer.test_onnx_operators import recurrent
from tests.compiler.test_slices import convolutional
from tests.compiler.test_stages import tiny

FROZEN = frozenset({"programming", "relaxation", "adc", "stuck"})
DAY = 86_400.0


TOOLS = pytest.mark.cosim("verilator", "g++", "make")


def models(chip, count=2, causes=FROZEN, device="rram-neurram"):
    rng = np.random.default_rng(7)
    shape = (chip.lines, chip.lines)
    return [
        TnsaModel(
            chip.macro_config(), rng.uniform(1, 40, shape), device=load_device(device), seed=3, core=k,
            time_s=DAY, causes=causes,
        )
        for k in range(count)
    ]


def test_the_device_and_the_names_of_a_chip_need_no_other_board():
    chip = load_chip("tnsa16-core")
    renamed = load_chip("tnsa16-core", {"device": "ideal", "adc.sigma_gain": 0.0, "description": "another"})
    assert chip.hardware(*PARTS) == renamed.hardware(*PARTS)
    assert chip.hardware(*PARTS) != load_chip("tnsa16-core", {"core.g_bits": 8}).hardware(*PARTS)


def test_read_noise_is_refused_before_anything_is_built(monkeypatch):
    monkeypatch.setattr("mho.sim.board.bus.board_simulator", lambda cfg: 1 / 0)
    chip = load_chip("tnsa16-core")
    with pytest.raises(InputError, match=r"^the emulator has no read noise of cells: .*without read-noise"):
        FpgaSimBackend().open(chip, models(chip, causes=FROZEN | {"read-noise"}))


def test_a_mesh_is_refused():
    chip = load_chip("tnsa16-core", {"mesh.columns": 2})
    with pytest.raises(InputError, match="mesh must have 1 column and 1 row to fit on a board, not 2 x 1"):
        FpgaSimBackend().open(chip, [])


def test_it_must_be_open():
    backend = FpgaSimBackend()
    chip = load_chip("tnsa16-core")
    stimulus = make_stimulus(models(chip), 1, 0)
    with pytest.raises(RuntimeError, match="must be open"):
        backend.mvm(0, stimulus.op, stimulus.masks, stimulus.x, 0)
    backend.close()
    backend.close()


def same(run, expected):
    assert run.codes.keys() == expected.codes.keys()
    for at in expected.codes:
        np.testing.assert_array_equal(run.codes[at], expected.codes[at])
    np.testing.assert_array_equal(run.outputs, expected.outputs)
    np.testing.assert_array_equal(run.cycles, expected.cycles)


@TOOLS
@pytest.mark.slow
@pytest.mark.parametrize("serial", [False, True])
def test_random_operations_give_the_codes_and_cycles_of_the_functional_backend(serial):
    chip = load_chip("tnsa16-core")
    # One core is quiet and the other has the noise of a shift register, on the same hardware.
    cores = [*models(chip, 1), *models(chip, 1, FROZEN | {"read-noise"}, "lfsr")]
    board, functional = FpgaSimBackend(lanes=16, serial=serial), FunctionalBackend()
    board.open(chip, cores)
    (bus,) = board._boards.values()
    info = read_info(bus, "the board")
    assert (info.serial, info.lines, info.lanes, info.noise) == (serial, 16, 16, True)
    functional.open(chip, cores)
    kinds = set()
    try:
        for number in range(40):
            stimulus = make_stimulus(cores, 21, number, vectors=4)
            arguments = stimulus.core, stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id
            result, expected = board.mvm(*arguments), functional.mvm(*arguments)
            np.testing.assert_array_equal(result.codes, expected.codes, err_msg=str(stimulus))
            np.testing.assert_array_equal(result.analog, expected.analog, err_msg=str(stimulus))
            np.testing.assert_array_equal(result.cycles, expected.cycles, err_msg=str(stimulus))
            np.testing.assert_array_equal(result.steps[:, 0], expected.steps.sum(axis=1), err_msg=str(stimulus))
            kinds.add((stimulus.op.direction, stimulus.op.segments, stimulus.op.converter))
    finally:
        board.close()
    assert len(kinds) == 8


def networks():
    """Name, network and inputs: layers on several cores, one and two segments, slices, every kind of stage."""
    chip, rng = load_chip("tnsa16-core"), np.random.default_rng(0)
    x = rng.normal(size=(40, 20)).astype(np.float32)
    options = CompileOptions(seeds=1, samples=40)
    for in_bits in (4, 8):
        chosen = replace(options, in_bits=in_bits)
        yield f"{in_bits} bits", compile_model(random_perceptron([20, 24, 3]), chip, calibrate=x, options=chosen), x
    sliced = replace(options, slices={"n_g0": 2, "n_g1": 3})
    yield "sliced", compile_model(random_perceptron([12, 6, 3]), chip, calibrate=x[:, :12], options=sliced), x[:, :12]
    for name, (model, images) in (("residual", tiny()), ("grouped", convolutional())):
        yield name, compile_model(model, chip, calibrate=images, options=options), images


@TOOLS
@pytest.mark.slow
def test_networks_give_the_same_codes_on_one_board():
    backend, cores = FpgaSimBackend(lanes=16), []
    try:
        for name, net, x in networks():
            run = {"causes": FROZEN, "seed": 1, "time_s": DAY, "codes_of": 1000}
            board_run, expected = (execute(net, b, x[:4], **run) for b in (backend, FunctionalBackend()))
            same(board_run, expected)
            assert np.abs(expected.outputs).max() > 0.0, name
            cores.append(len(net.cores))
    finally:
        backend.close()
    assert max(cores) > 4


@TOOLS
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "direction"), [("LSTM", "forward"), ("GRU", "bidirectional"), ("RNN", "reverse")])
def test_recurrent_networks_give_the_same_codes(kind, direction):
    """Layers that are called at each step, by the numbers of their conversions."""
    x = np.random.default_rng(3).normal(size=(40, 3, 5)).astype(np.float32)
    options = CompileOptions(seeds=1, samples=40)
    net = compile_model(recurrent(kind, direction), load_chip("tnsa16-core"), calibrate=x, options=options)
    assert len(net.program.calls) > len(net.layers)
    run = {"causes": FROZEN, "seed": 1, "time_s": DAY, "codes_of": 1000}
    backend = FpgaSimBackend(lanes=16)
    try:
        board_run, expected = (execute(net, b, x[:3], **run) for b in (backend, FunctionalBackend()))
        same(board_run, expected)
    finally:
        backend.close()


@TOOLS
@pytest.mark.slow
def test_a_network_with_the_noise_of_a_shift_register_gives_the_same_codes_on_all_backends():
    from mho.sim.core.cosim import CosimBackend

    x = np.random.default_rng(0).normal(size=(40, 20)).astype(np.float32)
    options = CompileOptions(seeds=1, samples=40, in_bits=8)
    net = compile_model(random_perceptron([20, 24, 3]), load_chip("tnsa16-core"), calibrate=x, options=options)
    run = {"device": load_device("lfsr"), "seed": 1, "time_s": DAY, "codes_of": 1000}
    expected = execute(net, FunctionalBackend(), x[:6], **run)
    still = execute(net, FunctionalBackend(), x[:6], **run, causes=FROZEN)
    assert any((expected.codes[at] != still.codes[at]).any() for at in expected.codes)
    for backend in (FpgaSimBackend(lanes=16), CosimBackend()):
        try:
            same(execute(net, backend, x[:6], **run), expected)
        finally:
            backend.close()


@TOOLS
@pytest.mark.long
def test_shipped_networks_give_the_same_codes_on_the_chip_of_a_board():
    examples = Path(__file__).parents[3] / "examples"
    fashion = np.load(examples / "data" / "fashion_mnist14.npz")
    cases = [
        *((sample.model, sample.x, sample.calibrate, 8) for sample in map(load_sample, ("digits", "fashion14"))),
        (examples / "models" / "fashion14_cnn.onnx", fashion["x_test"], fashion["x_train"][:64], 1),
    ]
    for model, x, calibrate, images in cases:
        net = mho.compile(model, "icebreaker", calibrate=calibrate[:64], samples=32, seeds=1)
        runs = [net.run(x[:images], backend=b, without=["read-noise"]).runs[0] for b in ("fpga-sim", "functional")]
        assert runs[0].codes.keys() == runs[1].codes.keys()
        for layer in runs[1].codes:
            np.testing.assert_array_equal(runs[0].codes[layer], runs[1].codes[layer])
        assert runs[0].cycles == runs[1].cycles
