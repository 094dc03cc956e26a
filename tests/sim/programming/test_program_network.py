"""Programming of a network's cores, and the file of what came out."""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network, compile_model
from mho.hw.config import load_chip
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.devices import Device, load_device
from mho.macro_models.devices.sections.programming import Stuck
from mho.macro_models.devices.sections.pulse import PulseResponse
from mho.macro_models.errors import InputError
from mho.sim.executor import build_cores, execute
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.instance import Cells
from mho.sim.programming.network import measured_cells, program_network, with_pulse_law
from mho.sim.programming.write_verify import target_codes
from tests.compiler.importer.onnx_models import random_perceptron

DAY = 86_400.0
CAUSES = frozenset(["programming", "relaxation", "stuck"])


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)


@pytest.fixture(scope="module")
def network(x: np.ndarray) -> Network:
    """Several cores of 16 lines."""
    options = CompileOptions(seeds=1, samples=32)
    return compile_model(random_perceptron([20, 24, 3]), load_chip("tnsa16-core"), calibrate=x, options=options)


def lab(*, stuck: float = 0.0, values: tuple[float, ...] = (0.0, 40.0), weak: float = 0.0) -> Device:
    base = load_device("rram-neurram")
    pulse = dataclasses.replace(base.pulse, weak_fraction=weak, weak_factor=1e-6)
    return dataclasses.replace(base, name="lab", stuck=Stuck(fraction=stuck, values_uS=values), pulse=pulse)


@pytest.fixture(scope="module")
def cells(network: Network) -> Cells:
    return program_network(network, device=lab(stuck=0.03, weak=0.05), seed=5)


@pytest.mark.slow
def test_cells_are_what_the_pulses_made_of_them(network: Network, cells: Cells) -> None:
    by_core: dict[int, np.ndarray] = {}
    again = program_network(network, device=lab(stuck=0.03, weak=0.05), seed=5, pulses=by_core.__setitem__)
    assert again.sha256 == cells.sha256
    assert sorted(by_core) == list(range(len(network.cores)))
    assert sum(map(len, by_core.values())) == cells.report["pulses"] == sum(int(c.pulses.sum()) for c in cells.cores)
    # One core replayed pulse by pulse on cells of its own.
    array = PulseArray(network.chip.pulse_config(), device=cells.device, seed=5, core=1)
    for number in range(3):
        if number:
            array.relax(number)
        for p in by_core[1][by_core[1]["write_pass"] == number]:
            cell = np.array([p["row"] * 16 + p["col"]], dtype=np.int64)
            array.pulse(cell, *(p[name].astype(np.int64)[None] for name in ("polarity", "amplitude", "cycles")))
    assert np.array_equal(array.g_uS.reshape(16, 16), cells.cores[1].g_uS)
    assert np.array_equal(array.relaxed_uS(DAY).reshape(16, 16), _after(cells, DAY)[1])


def _after(cells: Cells, time_s: float, causes: frozenset[str] = CAUSES) -> list[np.ndarray]:
    return cells.conductances(cells.device, time_s=time_s, causes=causes)


def test_cells_that_are_off_are_in_the_fault_map(network: Network, cells: Cells) -> None:
    """Whatever is further from its target than the band is stuck or weak, and is in the map; sound cells are not."""
    assert cells.report["given_up"] > 0
    for k, (core, image) in enumerate(zip(cells.cores, network.cores, strict=True)):
        array = PulseArray(network.chip.pulse_config(), device=cells.device, seed=5, core=k)
        bad = (array.stuck | array.weak).reshape(16, 16)
        off = np.abs(core.g_uS - image.targets_uS) > 1.0
        assert bad[off].all()
        assert core.faults[off].all()
        assert bad[core.faults].all()
        assert not core.moves[array.stuck.reshape(16, 16)].any()
    share = np.mean([core.faults.mean() for core in cells.cores])
    assert 0.03 < share < 0.1


@pytest.mark.slow
def test_a_stuck_cell_in_reach_of_the_noise_is_in_the_map_too(network: Network) -> None:
    """0 uS where 1 uS is wanted: the band ends at 0.12 uS, so that the noise of the reads lets many of them pass."""
    cells = program_network(network, device=lab(stuck=0.2, values=(0.0,)), seed=1)
    stuck = np.stack(
        [
            PulseArray(network.chip.pulse_config(), device=cells.device, seed=1, core=k).stuck
            for k in range(len(cells.cores))
        ]
    )
    faults = np.stack([core.faults.ravel() for core in cells.cores])
    assert cells.report["given_up"] < stuck.sum()
    assert faults[stuck].mean() > 0.95
    assert not faults[~stuck].any()


def test_a_cell_relaxes_since_its_last_pulse(cells: Cells) -> None:
    """Cells that settled in the waits between passes spread less than fresh ones would."""
    sound = [~core.faults for core in cells.cores]
    moved = np.concatenate([(g - c.left_uS)[s] for g, c, s in zip(_after(cells, DAY), cells.cores, sound, strict=True)])
    assert 0.5 < moved.std() < 4.0
    at_once = _after(cells, 0.0)
    assert all(np.array_equal(g, core.g_uS) for g, core in zip(at_once, cells.cores, strict=True))


def test_causes_of_cells(cells: Cells) -> None:
    core = cells.cores[0]
    none, stuck, programming, relaxation = (
        _after(cells, DAY, frozenset(causes))[0] for causes in ([], ["stuck"], ["programming"], ["relaxation"])
    )
    target = core.target_uS.astype(float)
    assert np.array_equal(none, target)
    assert np.array_equal(stuck, np.where(core.faults, core.g_uS, target))
    assert np.array_equal(programming, np.where(core.faults, target, core.g_uS))
    # The change is the same wherever a cell starts from, but for the end at 0 uS.
    everything = _after(cells, DAY)[0]
    free = core.moves & (relaxation > 0) & (everything > 0)
    assert free.sum() > 100
    assert np.allclose((relaxation - target)[free], (everything - core.g_uS)[free], atol=1e-9)
    assert np.array_equal(relaxation[~core.moves], target[~core.moves])


def test_runs_are_on_exactly_these_cells(network: Network, cells: Cells, x: np.ndarray) -> None:
    models = build_cores(network, device=cells.device, cells=cells, time_s=DAY)
    for model, g in zip(models, _after(cells, DAY), strict=True):
        assert np.array_equal(model.cells, model.config.codes(g))
        assert model.seed == 5
    first = execute(network, FunctionalBackend(), x, device=cells.device, cells=cells, time_s=DAY).outputs
    outputs = execute(network, FunctionalBackend(), x, device=cells.device, seed=5, time_s=DAY).outputs
    assert not np.array_equal(first, outputs)


def test_a_file_gives_the_same_cells(network: Network, cells: Cells, x: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "cells.npz"
    cells.save(path)
    read = Cells.load(path)
    assert read.sha256 == cells.sha256
    assert (read.seed, read.source, read.device, read.report) == (5, "functional", cells.device, cells.report)
    run, again = (execute(network, FunctionalBackend(), x, cells=c, time_s=DAY, device=c.device) for c in (cells, read))
    assert np.array_equal(run.outputs, again.outputs)
    # What numpy alone reads.
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["core0.g_uS"], cells.cores[0].g_uS)
    cells.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("part", ["cut", "bit", "member"])
def test_a_file_that_is_not_whole(cells: Cells, tmp_path: Path, part: str) -> None:
    path = tmp_path / "cells.npz"
    cells.save(path)
    data = bytearray(path.read_bytes())
    if part == "cut":
        data = data[:-100]
    elif part == "bit":
        data[len(data) // 3] ^= 4
    path.write_bytes(data)
    if part == "member":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("more.npy", b"")
    with pytest.raises(InputError, match=r"cells\.npz: (is no file of cells|was altered)"):
        Cells.load(path)


@pytest.mark.slow
def test_cells_of_another_network(network: Network, cells: Cells, x: np.ndarray) -> None:
    another = compile_model(
        random_perceptron([20, 24, 3], seed=1), network.chip, calibrate=x, options=CompileOptions(seeds=1, samples=8)
    )
    with pytest.raises(InputError, match=r"cells: was programmed for another network than this one, .*mho program"):
        build_cores(another, cells=cells)
    with pytest.raises(InputError, match="is of the chip tnsa16-core with 16 lines, not of tnsa64-core with 64 lines"):
        cells.check_chip(load_chip("tnsa64-core"))
    with pytest.raises(InputError, match=r"whose section \[cells\] is not that of tnsa16-core"):
        cells.check_chip(load_chip("tnsa16-core", {"cells.g_full_scale_uS": 60.0}))


def test_a_measured_map(network: Network) -> None:
    rng = np.random.default_rng(3)
    maps = [image.targets_uS + rng.normal(0, 0.3, (16, 16)).clip(-0.9, 0.9) for image in network.cores]
    maps[0][3] = np.nan
    maps[0][:, 7] = np.nan
    maps[1][2, 2], maps[1][4, 4] = np.nan, maps[1][4, 4] + 9.0
    cells = measured_cells(network, maps, device=load_device("rram-neurram"), seed=2)
    assert np.flatnonzero(cells.cores[0].dead_rows).tolist() == [3]
    assert np.flatnonzero(cells.cores[0].dead_columns).tolist() == [7]
    assert np.argwhere(cells.cores[1].faults).tolist() == [[2, 2], [4, 4]]
    assert (cells.report["dead"], cells.report["faults"]) == (32, 33)
    (first, second, *_), codes = _after(cells, 0.0), target_codes(network.chip, maps[2])
    assert np.array_equal(first, np.nan_to_num(maps[0]))
    assert np.array_equal(second, np.nan_to_num(maps[1]))
    assert codes.shape == (16, 16)
    # Relaxation starts from what was measured; dead cells stay at 0.
    later = _after(cells, DAY)[0]
    assert not later[3].any()
    assert 1.0 < (later - first)[~np.isnan(maps[0])].std() < 4.0


def test_lines_that_read_nothing_are_dead(network: Network) -> None:
    maps = [image.targets_uS + np.random.default_rng(4).uniform(-0.5, 0.5, (16, 16)) for image in network.cores]
    maps[0][5], maps[0][:, 2] = 0.0, 1e-3
    maps[0][5, 3] = np.nan
    cells = measured_cells(network, maps, device=load_device("rram-neurram"), seed=2)
    assert np.flatnonzero(cells.cores[0].dead_rows).tolist() == [5]
    assert np.flatnonzero(cells.cores[0].dead_columns).tolist() == [2]
    assert cells.report["dead"] == 31
    assert not cells.cores[0].moves[5].any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda maps: maps[:-1], r"lab: the network needs \d+ cores of 16 x 16 cells, not \d+"),
        (lambda maps: [maps[0][:4], *maps[1:]], r"lab: core 0 must have shape \(16, 16\), not \(4, 16\)"),
        (lambda maps: [maps[0] * np.nan, *maps[1:]], "lab: every cell of core 0 is NaN"),
        (lambda maps: [-maps[0], *maps[1:]], "lab: core 0 must hold conductances in uS of at least 0 .* not -"),
        (lambda maps: [maps[0] + np.inf, *maps[1:]], "lab: core 0 must hold conductances .* not inf"),
        (lambda maps: [maps[0] + 1e7, *maps[1:]], r"lab: core 0 must hold conductances .* not 1e\+07"),
        (lambda maps: [maps[0] * 0, *maps[1:]], "lab: every cell of core 0 is NaN, which is a dead cell, or 0"),
        (lambda maps: [maps[0] * 1e-6, *maps[1:]],
         r"lab: core 0 holds at most 4e-05 uS, .* up to 40: is it in siemens\? .* to at most 40 uS"),
        (lambda maps: [maps[0] * 1e-3, *maps[1:]],
         r"lab: core 0 holds at most 0\.04 uS, .* in millisiemens\? Then .* by 1e3, to at most 40 uS"),
        (lambda maps: [maps[0], maps[1].T, *maps[2:]],
         r"lab: core 1 is [\d.]+ uS from its targets in the root mean square, its transpose 0 uS: rows must be bit"),
    ],
)
def test_measured_maps_that_are_refused(network: Network, change, sentence: str) -> None:
    maps = [image.targets_uS.astype(float) for image in network.cores]
    with pytest.raises(InputError, match=sentence):
        measured_cells(network, change(maps), device=load_device("rram-neurram"), seed=0, where="lab")


def test_whose_answer_to_pulses() -> None:
    neurram, relax = load_device("rram-neurram"), load_device("rram-relax")
    assert with_pulse_law(neurram) == (neurram, "")
    device, sentence = with_pulse_law(relax)
    assert sentence == "pulse response of rram-neurram, since rram-relax has none"
    assert device.pulse == neurram.pulse
    assert device.law == relax.law
    # Weak cells of a device without rates are kept; rates belong to a width of the pulse.
    few = dataclasses.replace(
        relax,
        pulse=PulseResponse(weak_fraction=0.25),
        programming=dataclasses.replace(relax.programming, pulse_s=2e-6),
    )
    device, _ = with_pulse_law(few)
    assert device.pulse.weak_fraction == 0.25
    assert device.pulse.set_rate == pytest.approx(2 * neurram.pulse.set_rate)
    _, sentence = with_pulse_law(neurram, device)
    assert sentence == "pulse response of rram-relax in place of that of rram-neurram"
    with pytest.raises(InputError, match="ideal: has no pulse response"):
        with_pulse_law(neurram, load_device("ideal"))


@pytest.mark.cosim
@pytest.mark.slow
def test_both_backends_run_on_the_same_cells(network: Network, cells: Cells, x: np.ndarray) -> None:
    from mho.sim.core.cosim import CosimBackend

    options = {"device": cells.device, "cells": cells, "time_s": DAY, "codes_of": 1000}
    backend = CosimBackend()
    try:
        verilog_run = execute(network, backend, x[:4], **options)
    finally:
        backend.close()
    here = execute(network, FunctionalBackend(), x[:4], **options)
    assert np.array_equal(here.outputs, verilog_run.outputs)
    assert all(np.array_equal(here.codes[at], verilog_run.codes[at]) for at in here.codes)


@pytest.mark.cosim
@pytest.mark.slow
def test_the_engine_in_the_verilog_programs_the_same_cells(network: Network, cells: Cells) -> None:
    from mho.sim.core.cosim import CosimBackend

    backend = CosimBackend()
    records: list[np.ndarray] = []
    here: list[np.ndarray] = []
    try:
        backend.open(network.chip, [])
        programmed = program_network(
            network, device=cells.device, seed=5, programmer=backend, source=backend.name,
            pulses=lambda core, pulses: records.append(pulses),
        )
    finally:
        backend.close()
    program_network(network, device=cells.device, seed=5, pulses=lambda core, pulses: here.append(pulses))
    assert all(np.array_equal(a, b) for a, b in zip(records, here, strict=True))
    assert (programmed.source, programmed.sha256, programmed.report) == ("cosim", cells.sha256, cells.report)
