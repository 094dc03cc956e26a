"""Programs of tiles by hand: the same bits from interpreter, Verilog and board, and sentences for what is wrong."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.hw.config import load_chip
from mho.hw.core.layout import unpack
from mho.macro_models import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.draws import Law, draw_key, draws
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.board.tiles.backend import TilesFpgaSimBackend
from mho.sim.tile_jobs.job import TileJob, read_job
from mho.sim.tile_jobs.run import all_lines, run_job
from mho.sim.tile_networks.backend import TileCosimBackend

FIRST = """
stream in: block 8, blocks 2, remote, slot 0
stream out: block 16, blocks 2
walk whole: stream in
mvm layer: i_last 1, o_last 3, in_bits 4, in_signed, out_bits 8, step_code 512
parameters scale { 8 * m 64, target 0.., valid, start }
parameters bias { 8 * m 1, c -3.. }
vec leaf: a drain, target accumulators, elements 8, parameters scale, shift 2
vec root: a accumulators, target out, wide, elements 8, parameters bias
loop forever {
    mvm layer, whole, advance, free
    vec leaf
    vec root, push
    send out, flow 2, free
    image
}
"""
SECOND = """
stream lanes: block 16, blocks 2, remote, slot 3
stream small: block 8, blocks 2
parameters halves { 8 * m 1 }
vec clip: a lanes, a_format lane, target small, elements 8, parameters halves, shift 3, lo -128, hi 127
loop forever {
    vec clip, free_a, push
    send small, flow 0, free
    image
}
"""
JOB = """
schema = 1
flows = [{ from = "0,0", flow = 2, to = ["1,1"], slot = 3 }, { from = "1,1", flow = 0, to = ["host"] }]

[[tiles]]
at = "0,0"
program = "first.s"
conductances = "cells.npz:first"

[[tiles]]
at = "1,1"
program = "second.s"
"""
RNG = np.random.default_rng(5)
X = RNG.integers(-7, 8, (3, 8)).astype(np.int8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "first.s").write_text(FIRST)
    (tmp_path / "second.s").write_text(SECOND)
    (tmp_path / "job.toml").write_text(JOB)
    np.savez(tmp_path / "cells.npz", first=np.random.default_rng(0).uniform(1, 40, (16, 16)))
    return tmp_path


@pytest.fixture
def job(folder: Path) -> TileJob:
    return read_job(folder / "job.toml", load_chip("tnsa16-2x2"))


@pytest.fixture
def drawing(folder: Path) -> TileJob:
    """The second tile adds random numbers of -30 to 30 before the limit."""
    text = SECOND.replace("a lanes, a_format lane", "a lanes, a_format lane, b draw, b_format signed")
    (folder / "second.s").write_text(text.replace("8 * m 1 }", "16 * m 1 }"))
    return read_job(folder / "job.toml", load_chip("tnsa16-2x2", {"tile.draws": True}))


def lanes_of(job: TileJob) -> np.ndarray:
    """What the first tile sends, computed once more from the conductances: products, leaf, root."""
    model = job.models(load_device("ideal"), 0, 0.0, None)[0]
    op, _ = unpack(job.descriptors_of_products("0,0")[0], TnsaOperation)
    numbers = np.arange(3, dtype=np.uint64) << np.uint64(32)
    codes = model.mvm(op, all_lines(job), X.astype(np.int64), numbers).codes[:, :8]
    return ((codes.astype(np.int64) * 64 + 2) >> 2) + 3 - np.arange(8)


def test_results_are_those_of_the_model_of_the_core(job: TileJob) -> None:
    run = run_job(job, {"0,0:in": X}, device=load_device("ideal"))
    expected = np.clip((lanes_of(job) + 4) >> 3, -128, 127)
    assert run.outputs["1,1:0"].dtype == np.int8
    np.testing.assert_array_equal(run.outputs["1,1:0"].reshape(3, 8), expected)
    assert np.unique(expected).size > 5


@pytest.mark.parametrize("seed", [0, 1])
def test_what_a_program_draws_is_of_the_chip_its_tile_and_the_image(drawing: TileJob, seed: int) -> None:
    outputs = run_job(drawing, {"": X}, device=load_device("ideal"), seed=seed).outputs["1,1:0"].reshape(3, 8)
    drawn = np.array([draws(draw_key(seed, 3), image, 0, 8, Law.NIBBLES) for image in range(3)])
    np.testing.assert_array_equal(outputs, np.clip((lanes_of(drawing) + drawn + 4) >> 3, -128, 127))


def test_a_program_keeps_a_key_of_its_own(drawing: TileJob) -> None:
    keyed = replace(drawing, programs=dict(drawing.programs) | {"1,1": replace(drawing.programs["1,1"], key=7)})
    assert [keyed.keyed(5).programs[tile].key for tile in ("0,0", "1,1")] == [draw_key(5, 0), 7]


@pytest.mark.cosim
@pytest.mark.slow
def test_verilog_gives_the_same_with_noise(drawing: TileJob) -> None:
    backend = TileCosimBackend(optimise=False)
    try:
        run = run_job(drawing, {"": X}, device=load_device("rram-neurram"), seed=4, time_s=86400.0, backend=backend)
    finally:
        backend.close()
    assert run.cycles is not None
    assert run.cycles > 300


@pytest.mark.cosim
@pytest.mark.long
def test_a_board_gives_the_same(drawing: TileJob) -> None:
    backend = TilesFpgaSimBackend(lanes=4)
    try:
        run = run_job(drawing, {"": X}, device=load_device("ideal"), backend=backend)
    finally:
        backend.close()
    assert run.outputs["1,1:0"].shape == (3, 1, 8)


@pytest.mark.parametrize(("inputs", "sentence"), [
    ({"": X.astype(np.int64)}, "input 0,0:in must be int8 or uint8 .a byte each. or int16 .two., not int64"),
    ({"": X[:, :7]}, r"input 0,0:in must have shape .* whole blocks of 8 bytes an image, not \[3, 7\]"),
    ({"": X[0]}, r"not \[8\] of int8, 1 byte each; one image is \[1, 8\]: x\[None\] in numpy"),
    ({"": np.zeros((2, 5), np.int16)}, r"whole blocks of 8 bytes an image, not \[2, 5\] of int16, 2 bytes each"),
    ({"0,0:on": X}, "inputs must be 0,0:in, each an array, not 0,0:on"),
])
def test_inputs_are_checked(job: TileJob, inputs: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        run_job(job, inputs, device=load_device("ideal"))


@pytest.mark.parametrize(("old", "new", "sentence"), [
    ('at = "1,1"', 'at = "2,1"', "job.toml: tnsa16-2x2: tiles are 0,0, 1,0, 0,1, 1,1, not '2,1'"),
    ("slot = 3", "slot = 4", "job.toml: tile '1,1' has no remote stream with slot 4"),
    ("cells.npz:first", "cells.npz:last", "cells.npz: write cells.npz:KEY with one of first"),
    ('program = "second.s"', 'program = "third.s"', "third.s: there is no such program"),
    ("schema = 1", "schema = 2", "job.toml: schema must be 1, not 2"),
    ("flow = 2", "flow = 1", "job.toml: tile 0,0 sends flow 2, which goes nowhere: flows must name it"),
    ("flows =", "flow =", r"job.toml: unknown key flow, did you mean flows\?"),
    ('to = ["host"]', 'to = ["0,0"]', "job.toml: tile '0,0' has no remote|a flow must go to the host"),
])
def test_a_wrong_job_is_refused_with_a_sentence(folder: Path, old: str, new: str, sentence: str) -> None:
    (folder / "job.toml").write_text(JOB.replace(old, new))
    with pytest.raises(InputError, match=sentence):
        read_job(folder / "job.toml", load_chip("tnsa16-2x2"))


def test_a_program_that_gets_stuck_or_traps_is_refused(folder: Path) -> None:
    chip = load_chip("tnsa16-2x2")
    (folder / "second.s").write_text(SECOND.replace("free_a, push", "push"))
    with pytest.raises(InputError, match=r"an image leaves .1 blocks in ring 'lanes' of tile '1,1'"):
        run_job(read_job(folder / "job.toml", chip), {"": X}, device=load_device("ideal"))
    (folder / "second.s").write_text(SECOND)
    (folder / "first.s").write_text(FIRST.replace("i_last 1", "i_last 3"))
    with pytest.raises(InputError, match=r"tile 0,0 traps .core. at instruction 1, of image 0: .* takes 2 words"):
        run_job(read_job(folder / "job.toml", chip), {"": np.zeros((2, 8), np.int8)}, device=load_device("ideal"))


def test_bytes_without_a_sign_come_back_as_they_are(folder: Path) -> None:
    (folder / "second.s").write_text(SECOND.replace("lo -128, hi 127", "lo 0, hi 255"))
    run = run_job(read_job(folder / "job.toml", load_chip("tnsa16-2x2")), {"": X}, device=load_device("ideal"))
    assert run.outputs["1,1:0"].dtype == np.uint8
    assert run.outputs["1,1:0"].max() > 127


def test_a_remote_stream_of_one_block_is_named(folder: Path) -> None:
    (folder / "second.s").write_text(SECOND.replace("block 16, blocks 2, remote", "block 16, blocks 1, remote"))
    with pytest.raises(InputError, match=r"stream lanes of tile 1,1: it must be that .*remote"):
        read_job(folder / "job.toml", load_chip("tnsa16-2x2"))


def test_one_program_sends_to_the_host(folder: Path) -> None:
    job = read_job(folder / "first.s", load_chip("tnsa16-2x2"))
    run = run_job(job, {"": X}, device=load_device("ideal"))
    assert (list(run.outputs), run.outputs["0,0:2"].dtype, run.outputs["0,0:2"].shape) == (
        ["0,0:2"], np.int16, (3, 1, 8))
