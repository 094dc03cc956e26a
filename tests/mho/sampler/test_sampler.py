"""Spins on cores: fields, laws of the chains against enumeration, schedules, files and the command."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho import cli
from mho.api.sampler import run_chains
from mho.hw.config import Chip, load_chip
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError, ToolError
from mho.runs.backends import Functional
from mho.sampler import Problem, Samples, Schedule, load_problem, sample
from mho.sampler.fields import Fields, pieces_of
from mho.sampler.tile import chain_inputs, chain_job
from mho.sim.tile_jobs.run import run_job

IDEAL = load_device("ideal")


def small(cores: int = 4) -> Chip:
    return load_chip("tnsa16-core", {"mesh.columns": cores, "mesh.rows": 1})


def symmetric(spins: int, seed: int = 0, density: float = 1.0) -> Problem:
    rng = np.random.default_rng(seed)
    half = np.triu(rng.choice([-1.0, 1.0], (spins, spins)) * (rng.random((spins, spins)) < density), 1)
    return Problem(couplings=half + half.T, bias=rng.integers(-1, 2, spins).astype(float), symmetric=True)


def bipartite(visible: int, hidden: int, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    return Problem(couplings=rng.normal(size=(visible, hidden)), bias=rng.normal(size=visible + hidden) / 2,
                   symmetric=False)


def states(problem: Problem) -> np.ndarray:
    return np.array(list(product(problem.values, repeat=problem.spins)))


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 7, 8])
def test_each_pair_of_blocks_is_stored_once(blocks: int) -> None:
    problem = symmetric(5 * blocks, density=0.9)
    _, pieces = pieces_of(problem, 5, 10)
    stored = np.zeros((problem.spins, problem.spins), int)
    for piece in pieces:
        assert len(piece.rows) <= 5
        assert len(piece.columns) <= 10
        stored[np.ix_(piece.rows, piece.columns)] += 1
        inner = piece.columns[piece.inner]
        assert np.array_equal(np.isin(piece.columns, piece.rows), piece.inner)
        # Within a block both halves are there.
        stored[np.ix_(piece.rows, inner)] += 1
    assert (stored + stored.T == np.where(stored + stored.T == 4, 4, 1)).all()


@pytest.mark.parametrize("problem", [symmetric(20, density=0.6), bipartite(12, 9), symmetric(7)])
def test_fields_are_those_of_the_couplings(problem: Problem) -> None:
    fields = Fields(problem, small(8), device=IDEAL, seed=0, time_s=0.0, out_bits=8)
    spins = np.random.default_rng(3).choice(problem.values, (50, problem.spins))
    visible = 0 if problem.symmetric else problem.couplings.shape[0]
    if problem.symmetric:
        exact = spins @ problem.couplings
    else:
        exact = np.concatenate([spins[:, visible:] @ problem.couplings.T, spins[:, :visible] @ problem.couplings], 1)
    moving = np.arange(problem.spins)[::-1]
    lanes, cycles = fields.compute(spins, moving, np.arange(50, dtype=np.uint64) << np.uint64(32))
    assert np.abs(lanes / fields.unit - exact[:, moving]).max() < 0.05 * np.abs(exact).max()
    assert cycles > 0


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "parts"), [(symmetric(6, 2), 6), (bipartite(4, 3), 8)])
def test_chains_have_the_law_of_the_energy(problem: Problem, parts: int) -> None:
    """Odds of each spin, and of each pair, against all states; the noise is nearly, not exactly, that of the odds."""
    temperature = 2.0 if problem.symmetric else 1.0
    result = sample(problem, small(), Schedule(steps=60, begin=temperature, end=temperature, parts=parts), device=IDEAL,
                    chains=4000, out_bits=8)
    every = states(problem)
    odds = np.exp(-problem.energy(every) / temperature)
    odds /= odds.sum()
    exact, sampled = (odds[:, None] * every).T @ every, result.spins.T.astype(float) @ result.spins / len(result.spins)
    # Five standard errors, and what a normal law is away from a logistic one.
    assert np.abs(sampled - exact).max() < 5 / np.sqrt(len(result.spins)) + 0.03


def test_annealing_finds_the_least_energy() -> None:
    problem = symmetric(12, 4)
    minimum = problem.energy(states(problem)).min()
    result = sample(problem, small(), Schedule(steps=400, begin=6.0, end=0.3), device=load_device("rram-neurram"),
                    chains=8, time_s=86_400.0)
    assert result.best_energies.min() == minimum
    np.testing.assert_allclose(problem.energy(result.best), result.best_energies)
    assert (result.best_energies <= result.energies).all()


def test_chains_do_not_depend_on_each_other_and_clamped_spins_stay() -> None:
    problem, device = bipartite(10, 6), load_device("rram-neurram")
    clamped = np.zeros(16, bool)
    clamped[[1, 4, 12]] = True

    def run(chains: int, **more: object) -> Samples:
        return sample(problem, small(), Schedule(steps=9), device=device, chains=chains, time_s=3600.0,
                      clamped=clamped, initial=np.ones(16, int), **more)  # type: ignore[arg-type]

    many, few = run(5), run(2)
    np.testing.assert_array_equal(many.spins[:2], few.spins)
    assert (many.spins[:, clamped] == 1).all()
    assert not np.array_equal(many.spins, run(5, seed=1).spins)


def test_what_is_no_problem_is_refused(tmp_path: Path) -> None:
    w, j = np.ones((3, 2)), np.ones((3, 3))
    for arrays, sentence in (
        ({"W": w, "h": w}, "a problem has W, a, b or J, h, not W, h"),
        ({"W": w, "a": np.ones(2)}, r"a must have shape \(3,\), not \(2,\)"),
        ({"J": j}, "J must be symmetric, with a diagonal of 0"),
        ({"J": np.zeros((2, 2))}, "J must have two dimensions and finite couplings, not all 0"),
        ({"W": np.float64(3)}, "W must have two dimensions, not 0"), ({"W": w * 1e300}, ".* 1e.30 at most"),
        ({"W": w, "a": np.full(len(w), 1e300)}, "a and b must be 5 finite numbers of 1e.30 at most"),
        ({"W": w * np.nan}, "W must have two dimensions and finite"),
        ({"W": np.ones(3)}, "W must have two dimensions"),
        ({"J": np.array([["a"]])}, "J must be numbers, not <U1"),
    ):
        np.savez(tmp_path / "p.npz", **arrays)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=rf"p.npz: {sentence}"):
            load_problem(tmp_path / "p.npz")
    problem = symmetric(40)
    for schedule, more, sentence in (
        ({"steps": 0}, {}, "steps must be at least 1"), ({"steps": 1, "end": -1.0}, {}, "end must be at least 0"),
        ({"steps": 1}, {"chains": 0}, "chains must be 1 to"),
        ({"steps": 1}, {}, "a chip must have 10 cores for 40 spins, not 4"),
        ({"steps": 1}, {"initial": np.zeros(40)}, "a chip must have|initial must be -1 and 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            sample(problem, small(), Schedule(**schedule), device=IDEAL, **more)  # type: ignore[arg-type]
    faint = Problem(couplings=1e-30 * symmetric(16).couplings, bias=np.zeros(16), symmetric=True)
    with pytest.raises(InputError, match=r"temperatures must be below .* for couplings and biases so small, not 1"):
        sample(faint, small(), Schedule(steps=1), device=IDEAL)
    with pytest.raises(InputError, match=r"both ways, not core.kind pwm"):
        sample(problem, load_chip("pwm16-core"), Schedule(steps=1), device=IDEAL)


@pytest.mark.slow
@pytest.mark.parametrize(("visible", "hidden", "bits"), [(13, 8, 4), (30, 21, 8)])
def test_a_tile_has_the_same_spins(visible: int, hidden: int, bits: int) -> None:
    """By the interpreter, whose bits are those of the Verilog: numbers of conversions, draws, sums and thresholds."""
    problem, device = bipartite(visible, hidden), load_device("rram-neurram")
    chip, schedule = load_chip("tnsa64-2x2", {"tile.draws": True}), Schedule(steps=12, begin=0.7, end=0.7)
    options: dict[str, Any] = {"device": device, "seed": 3, "time_s": 86_400.0}
    result = sample(problem, chip, schedule, chains=6, out_bits=bits, **options)
    run_chains(problem, chip, schedule, result, Functional(), out_bits=bits, **options)
    assert 0.2 < result.spins.mean() < 0.8
    with pytest.raises(ToolError, match="spins of the tile on functional are not those of the model"):
        run_chains(problem, chip, schedule, sample(problem, chip, schedule, chains=6, device=IDEAL), Functional(),
                   out_bits=bits, **options)
    with pytest.raises(InputError, match="chains must be a multiple of 2 on a tile, not 3"):
        run_chains(problem, chip, schedule, sample(problem, chip, schedule, chains=3, **options), Functional(),
                   **options)
    fields = Fields(problem, chip, out_bits=bits, **options)
    for wrong, sentence in ((Schedule(steps=3), "not 3 from 1 to 1"), (Schedule(steps=4, end=2.0), "one temperature")):
        with pytest.raises(InputError, match=sentence):
            chain_job(problem, chip, fields, wrong)


@pytest.mark.slow
@pytest.mark.parametrize(("spins", "parts", "begin", "end", "steps"), [(26, 8, 5.0, 0.4, 128), (9, 2, 2.0, 2.0, 6)])
def test_a_tile_anneals_as_the_model_does(spins: int, parts: int, begin: float, end: float, steps: int) -> None:
    """A symmetric problem with biases, by the interpreter: levels of amplitudes as data, parts in turn."""
    problem, device = symmetric(spins, 2, 0.7), load_device("rram-neurram")
    chip = load_chip("tnsa64-2x2", {"tile.draws": True})
    schedule = Schedule(steps=steps, begin=begin, end=end, parts=parts)
    options: dict[str, Any] = {"device": device, "seed": 5, "time_s": 86_400.0}
    result = sample(problem, chip, schedule, chains=4, **options)
    fields = Fields(problem, chip, out_bits=4, **options)
    first = chain_inputs(problem, fields, schedule, chains=4, seed=5)
    sampled = run_job(chain_job(problem, chip, fields, schedule), first, **options).outputs["0,0:0"]
    np.testing.assert_array_equal(sampled.reshape(4, -1), result.spins)
    odd = Schedule(steps=steps + 1, begin=begin, end=end, parts=parts)
    hot = Schedule(steps=steps, begin=1e6, end=1e6, parts=parts)
    with pytest.raises(InputError, match=rf"a multiple of .* {parts} parts, not {steps + 1}"):
        chain_job(problem, chip, fields, odd)
    with pytest.raises(InputError, match=r"temperatures on a tile must be below .*, not 1e\+06"):
        chain_inputs(problem, fields, hot, chains=4, seed=5)


@pytest.mark.long
@pytest.mark.cosim
@pytest.mark.parametrize("backend", ["fpga-sim", "cosim"])
def test_backends_give_the_spins_of_the_model(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tile of the Verilog, and one of a board whose cells are emulated."""
    problems = {"w": {"W": bipartite(8, 7).couplings}, "j": {"J": symmetric(7, 3).couplings}}
    for name, arrays in problems.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
        file = str(tmp_path / f"{name}.npz")
        code = cli.run(["sampler", file, "--chip", "tnsa16-core", "--set", "tile.programs=true", "--set",
                        "tile.draws=true", "--steps", "8", "--parts", "2", "--chains", "6", "--device", "ideal",
                        "--backend", backend, "--json", "-"])
        report = json.loads(capsys.readouterr().out)
        assert code == 0
        assert report["backend"] == backend
        assert (report["cycles"] is None) == (backend == "fpga-sim")


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    problem = symmetric(10, 1)
    np.savez(tmp_path / "p.npz", J=problem.couplings, h=problem.bias)
    code = cli.run(["sampler", str(tmp_path / "p.npz"), "--chip", "tnsa16-core", "--set", "mesh.columns=2", "--set",
                    "mesh.rows=2", "--steps", "40", "--from", "5", "--to", "1", "--chains", "3", "-o",
                    str(tmp_path / "y.npz"), "--plot", str(tmp_path / "y.svg"), "--json", "-"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0
    with np.load(tmp_path / "y.npz") as written:
        assert written["spins"].shape == (3, 10)
        np.testing.assert_array_equal(written["best_energies"], report["best_energies"])
    assert "3 chains" in (tmp_path / "y.svg").read_text()
    assert cli.run(["sampler", str(tmp_path / "p.npz"), "--chip", "tnsa16-core", "--steps", "0"]) == 2
