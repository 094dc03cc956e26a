"""``mho program``, and what runs and compiles on its cells."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.data import load_sample
from mho.runs.writing import COLUMNS
from tests.mho.conftest import Tiny

LAB = """\
schema = 1
extends = "rram-neurram"
name = "lab"
[stuck]
fraction = 0.02
values_uS = [0.0, 40.0]
[pulse]
weak_fraction = 0.05
weak_factor = 1e-6
"""


@pytest.fixture(scope="module")
def programmed(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cells.npz, pulses.csv and out.json of the small network on a device of its own."""
    folder = tmp_path_factory.mktemp("programmed")
    (folder / "lab.toml").write_text(LAB)
    command = ["program", tiny.path("tiny.mho"), "--device", str(folder / "lab.toml"), "--seed", "3", "-q"]
    for option, name in (("-o", "cells.npz"), ("--pulses", "pulses.csv"), ("--json", "out.json"), ("--plot", "p.png")):
        command += [option, str(folder / name)]
    assert run(command) == 0
    return folder


def test_the_report_stands_beside_what_is_published(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["program", tiny.path("tiny.mho")]) == 0
    done = capsys.readouterr()
    (pulses,) = (line.split() for line in done.out.splitlines() if line.startswith("pulses a cell"))
    assert 6.0 < float(pulses[-2]) < 11.0
    assert pulses[-1] == "8.5"
    assert "Wan et al., Nature 608, 504 (2022)" in done.out
    assert "dead rows" in done.out
    assert "wrote" not in done.err


@pytest.mark.slow
def test_json_has_everything(programmed: Path) -> None:
    content = json.loads((programmed / "out.json").read_text())
    cells = mho.Cells.load(programmed / "cells.npz")
    assert content["cells"]["sha256"] == cells.sha256
    assert content["report"] == cells.report
    assert content["published"]["pulses_per_cell"] == 8.5
    assert sum(core["faults"] for core in content["cores"]) == cells.faults > 0
    assert content["device"]["name"] == "lab"
    assert (programmed / "p.png").read_bytes().startswith(b"\x89PNG")


def test_pulses_are_in_the_order_of_the_engine(programmed: Path) -> None:
    with (programmed / "pulses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS == ("step", "tile", "row", "col", "polarity", "amplitude_V", "width_ns")
    cells = mho.Cells.load(programmed / "cells.npz")
    assert len(rows) == cells.report["pulses"]
    assert [int(r["step"]) for r in rows] == list(range(len(rows)))
    place = np.array([int(r["row"]) * 16 + int(r["col"]) for r in rows])
    passes = (np.flatnonzero(np.diff(place) < 0) + 1).tolist()
    assert passes[0] == cells.report["screening"]["pulses"]
    assert np.diff([*passes, len(rows)]).tolist() == [entry["pulses"] for entry in cells.report["by_pass"]]
    count = np.bincount(place, minlength=256).reshape(16, 16)
    assert np.array_equal(count, cells.cores[0].pulses)
    volts = {kind: [float(r["amplitude_V"]) for r in rows if r["polarity"] == kind] for kind in ("SET", "RESET")}
    assert (min(volts["SET"]), min(volts["RESET"])) == (1.2, 1.5)
    assert max(volts["SET"]) == 3.3
    assert {r["width_ns"] for r in rows} == {"1000"}
    assert {r["tile"] for r in rows} == {"0"}


def test_every_dead_cell_ends_in_the_fault_map(tiny: Tiny, tmp_path: Path) -> None:
    """Those too that have what the network wants, and those of another network on the same chip."""
    (tmp_path / "dead.toml").write_text(LAB.replace("0.02", "0.1").replace("[0.0, 40.0]", "[1.0, 20.0, 40.0]"))
    command = ["program", tiny.path("tiny.mho"), "--device", str(tmp_path / "dead.toml"), "--seed", "2", "-q"]
    out = str(tmp_path / "cells.npz")
    assert run([*command, "--no-screen", "-o", out]) == 0
    unseen = mho.Cells.load(out).cores[0].faults
    assert run([*command, "-o", out]) == 0
    core = mho.Cells.load(out).cores[0]
    assert core.faults[~core.moves].all()
    assert not unseen[~core.moves].all()


def test_fresh_cells_are_formed(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulses = tmp_path / "pulses.csv"
    assert run(["program", tiny.path("tiny.mho"), "--form", "--pulses", str(pulses)]) == 0
    assert "forming: cells, pulses, faults" in capsys.readouterr().out
    with pulses.open(newline="") as file:
        kinds = [(row["polarity"], row["width_ns"]) for row in csv.DictReader(file)]
    formed = kinds.index(("SET", "1000")) if ("SET", "1000") in kinds else len(kinds)
    assert {kind for kind, _ in kinds[formed:]} <= {"SET", "RESET"}
    assert ("FORM", "1000000") in kinds[:formed]
    command = ["program", tiny.path("tiny.mho"), "--form", "--from", str(tmp_path / "g.npy")]
    assert run(command) == 2
    assert "--form and a measured map exclude each other" in capsys.readouterr().err


@pytest.mark.cosim
@pytest.mark.long
def test_all_simulators_give_the_same_bytes(tiny: Tiny, programmed: Path, tmp_path: Path) -> None:
    command = ["program", tiny.path("tiny.mho"), "--device", str(programmed / "lab.toml"), "--seed", "3", "--form"]
    results = []
    for backend in ("functional", "cosim", "fpga-sim"):
        cells, pulses = tmp_path / f"{backend}.npz", tmp_path / f"{backend}.csv"
        assert run([*command, "--backend", backend, "-o", str(cells), "--pulses", str(pulses)]) == 0
        programmed_cells = mho.Cells.load(cells)
        assert programmed_cells.source == backend
        results.append((pulses.read_bytes(), programmed_cells.sha256, programmed_cells.report))
    assert results[0] == results[1] == results[2]
    assert results[0][2]["forming"]["pulses"] > 0


def test_a_run_says_which_cells_it_is_on(tiny: Tiny, programmed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = str(programmed / "cells.npz")
    command = ["run", tiny.path("tiny.mho"), "--cells", cells, "--input", tiny.path("x.npy")]
    out = programmed / "run.json"
    assert run([*command, "--labels", tiny.path("y.npy"), "--json", str(out)]) == 0
    assert f"cells: {cells}, functional, chip of seed 3" in capsys.readouterr().out
    content = json.loads(out.read_text())
    assert content["cells"]["file"] == cells
    assert content["cells"]["device"] == content["device"]["name"] == "lab"
    assert content["options"]["seeds"] == [3]
    result = mho.load(tiny.path("tiny.mho")).run(tiny.x, cells=cells)
    assert result.accuracy(tiny.y) == content["accuracy"]["mean"]


def test_the_budget_of_programmed_cells(tiny: Tiny, programmed: Path) -> None:
    """Quantised ideal is on the targets, whatever the cells hold."""
    net = mho.load(tiny.path("tiny.mho"))
    on_cells = net.run(tiny.x, cells=programmed / "cells.npz", time="1y").budget(tiny.y)
    on_targets = net.run(tiny.x).budget(tiny.y)
    assert on_cells["ideal"].values == on_targets["ideal"].values
    assert on_cells["all"].values == (net.run(tiny.x, cells=programmed / "cells.npz", time="1y").accuracy(tiny.y),)


def test_a_measured_map(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = mho.load(tiny.path("tiny.mho"))
    measured = net.network.cores[0].targets_uS + np.random.default_rng(0).normal(0, 0.2, (16, 16)).astype(np.float32)
    measured = np.maximum(measured, 0.0)
    measured[5] = np.nan
    np.save(tmp_path / "g.npy", measured)
    np.savez(tmp_path / "g.npz", core0=measured)
    np.savez(tmp_path / "two.npz", a=measured[None], b=measured)
    digests = [
        net.program(measured=source).sha256
        for source in (measured, measured[None], tmp_path / "g.npy", tmp_path / "g.npz", f"{tmp_path / 'two.npz'}:a")
    ]
    assert len(set(digests)) == 1
    out = tmp_path / "cells.npz"
    assert run(["program", tiny.path("tiny.mho"), "--from", str(tmp_path / "g.npz"), "-o", str(out)]) == 0
    assert "core 0: dead rows 5" in capsys.readouterr().out
    assert mho.Cells.load(out).sha256 == digests[0]


def test_a_device_without_pulses_takes_those_of_another(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["program", tiny.path("tiny.mho"), "--device", "rram-relax"]) == 0
    assert "pulse response of rram-neurram, since rram-relax has none" in capsys.readouterr().err.splitlines()
    assert run(["program", tiny.path("tiny.mho"), "--device", "rram-relax", "--pulse-law", "ideal"]) == 2
    assert "ideal: has no pulse response" in capsys.readouterr().err


@pytest.mark.slow
def test_compile_leaves_dead_lines_unused(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = mho.load(tiny.path("tiny.mho"))
    measured = net.network.cores[0].targets_uS.astype(float)
    measured[[2, 9]], measured[:, 4] = np.nan, np.nan
    measured[13, 0] = 40.0
    net.program(measured=measured).save(tmp_path / "cells.npz")
    command = ["compile", tiny.path("tiny.onnx"), "--chip", "tnsa16-core", "--calibrate", tiny.path("x.npy"), "-q"]
    assert run([*command, "--cells", str(tmp_path / "cells.npz"), "-o", str(tmp_path / "net2.mho")]) == 0
    assert "2 dead rows and 1 dead columns unused" in capsys.readouterr().out
    new = mho.load(tmp_path / "net2.mho")
    core = new.network.cores[0]
    assert np.flatnonzero(core.bl_skip).tolist() == [2, 9]
    assert np.flatnonzero(core.sl_skip).tolist() == [4]
    for layer in new.network.layers:
        for product in layer.mvms:
            if product.core == 0:
                assert {1, 4}.isdisjoint(product.rows.tolist())
                assert 4 not in product.columns
    assert core.faulty is not None
    assert core.faulty[13, 0]
    assert core.targets_uS[13, 0] == 40.0
    # What is known stays known, and the skipped lines are not programmed.
    again = new.program()
    assert again.cores[0].faults[13, 0]
    assert again.cores[0].dead_rows[[2, 9]].all()
    assert not again.cores[0].pulses[2].any()
    assert new.run(tiny.x, cells=again).accuracy(tiny.y) > 0.9


def _with_dead_lines(net: mho.Net, cells: mho.Cells) -> mho.Cells:
    """The same chip, two bit lines and two source lines of which never conduct."""
    used, core = net.network.layers[0].mvms[0], cells.cores[0]
    dead = np.zeros((2, 256), dtype=bool)
    dead[0, 2 * used.rows[[3, 20]]], dead[1, used.columns[[1, 5]]] = True, True
    lines = dead[0][:, None] | dead[1][None, :]
    core = replace(
        core, g_uS=np.where(lines, 0.0, core.g_uS), left_uS=np.where(lines, 0.0, core.left_uS),
        moves=core.moves & ~lines, faults=core.faults | lines, dead_rows=dead[0], dead_columns=dead[1],
    )
    return replace(cells, cores=(core,))


@pytest.mark.slow
def test_remapping_gives_the_accuracy_back(tmp_path: Path) -> None:
    """Digits without copies, 3 % stuck and 5 % weak cells, four dead lines: without loss once they are avoided."""
    (tmp_path / "lab.toml").write_text(LAB.replace("0.02", "0.03"))
    sample, chip = load_sample("digits"), mho.Chip.load("neurram-core")
    options = {"calibrate": sample.calibrate, "copies": 1, "samples": 128, "seeds": 1}
    net = mho.compile(sample.model, chip, **options)
    x, y = sample.x, sample.y
    scores = []
    for seed in (1, 2):
        broken = _with_dead_lines(net, net.program(device=tmp_path / "lab.toml", seed=seed))
        new = mho.compile(sample.model, chip, cells=broken, **options)
        again = new.program()
        assert (again.device.name, again.seed) == ("lab", seed)
        runs = (net.run(x, cells=net.program(seed=seed)), net.run(x, cells=broken), new.run(x, cells=again))
        scores.append([(run.accuracy(y), run.relative_error) for run in runs])
    (sound, error), (lost, broken_error), (won, won_error) = np.mean(scores, axis=0)
    assert sound - lost > 0.02
    assert sound - won < 0.01
    assert broken_error > 3.0 * error
    assert won_error < 1.4 * error
