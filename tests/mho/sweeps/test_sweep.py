"""Sweeps as they run: rows are functions of their points, whatever is killed, and whoever computes them."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.figures.compare import Panel, Series, figure_of_trade_offs
from mho.figures.run import figure_bytes
from mho.macro_models.errors import InputError
from mho.sweeps import Folder, load_spec, run_sweep
from mho.sweeps.panels import panels_of
from mho.sweeps.spec.points import Space
from tests.mho.conftest import Tiny


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of its own for the networks of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, sweep_text: str, cache: None) -> Path:
    """The folder of a sweep that nobody disturbed."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "sweep.toml").write_text(sweep_text)
    assert run(["sweep", str(folder / "sweep.toml"), "-o", str(folder / "out"), "--jobs", "1", "-q"]) == 0
    return folder / "out"


def rows(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "rows.json").read_text())


@pytest.mark.slow
def test_rows_are_what_runs_give(swept: Path, tiny: Tiny) -> None:
    table = rows(swept)
    assert len(table) == 12
    assert [row["seed"] for row in table] == [0, 1, 2] * 4
    net = mho.compile(
        tiny.path("tiny.onnx"), mho.Chip.load("tnsa16-core", **{"adc.bits": 6}), calibrate=tiny.x
    )
    result = net.run(tiny.x[:40], time="1d", seeds=3)
    of_run = [row for row in table if row["adc.bits"] == 6 and row["time_s"] == 86400.0]
    assert [row["accuracy"] for row in of_run] == list(result.accuracies(tiny.y[:40]))
    assert [row["interval_cycles"] * 40 for row in of_run] == pytest.approx(list(result.cycles))
    assert {row["images"] for row in of_run} == {40}


def test_tables_say_the_same(swept: Path) -> None:
    table = rows(swept)
    with (swept / "rows.csv").open() as file:
        read = list(csv.DictReader(file))
    assert [row["point"] for row in read] == [row["point"] for row in table]
    assert [float(row["accuracy"]) for row in read] == [row["accuracy"] for row in table]
    summary = json.loads((swept / "sweep.json").read_text())
    assert (summary["rows"], summary["refused"], len(summary["designs"])) == (12, 0, 4)
    for k, design in enumerate(summary["designs"]):
        accuracies = [row["accuracy"] for row in table[3 * k : 3 * k + 3]]
        assert design["accuracy"] == pytest.approx(np.mean(accuracies))
        assert design["accuracy_deviation"] == pytest.approx(np.std(accuracies, ddof=1))
        assert design["accuracy_half"] > 0.0
    # Area and energy follow the axis, and say so: they are stated of 256 lines and 8 bits.
    by_bits = {design["adc.bits"]: design for design in summary["designs"]}
    assert by_bits[4]["area_mm2"] < by_bits[6]["area_mm2"] < 1.161 / 16
    assert by_bits[4]["energy_nJ"] < by_bits[6]["energy_nJ"]
    assert [by_bits[bits]["extrapolated"] for bits in (4, 6)] == [
        f"core.corelet 16 to 4; adc.bits 8 to {bits}" for bits in (4, 6)
    ]
    assert (swept / "trade-offs.png").stat().st_size > 5000


def test_parquet_has_the_types_of_the_rows(swept: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(swept / "rows.parquet").to_pylist() == rows(swept)


@pytest.mark.slow
def test_what_is_there_is_not_done_again(swept: Path, sweep_text: str, tmp_path: Path, cache: None) -> None:
    (tmp_path / "sweep.toml").write_text(sweep_text.replace("[4, 6]", "[6, 5]"))
    folder, spec = Folder(swept), load_spec(tmp_path / "sweep.toml")
    first = run_sweep(spec, folder)
    assert (len(first.rows), first.found) == (12, 6)
    damaged = folder.path / "rows" / first.rows[0]["point"][:2] / f"{first.rows[0]['point']}.json"
    damaged.write_text(damaged.read_text()[:50])
    again = run_sweep(spec, folder)
    assert (again.rows, again.found) == (first.rows, 11)


DAMAGE = {
    "a digit": lambda text: re.sub(r'"accuracy": [\d.]+', '"accuracy": 0.5', text),
    "a bit": lambda text: text.replace('"interval_us"', '"interval_ut"'),
    "no key": lambda text: re.sub(r'"images": \d+, ', "", text),
    "NaN": lambda text: re.sub(r'"relative_error": [^,}]*', '"relative_error": NaN', text),
    "text": lambda text: re.sub(r'"accuracy": [^,}]*', '"accuracy": "high"', text),
    "no seal": lambda text: json.dumps(json.loads(text)["row"]),
    "a list": lambda text: "[1]",
    "depth": lambda text: "[" * 100_000,
    "nothing": lambda text: "",
}


@pytest.mark.slow
def test_a_row_that_is_not_as_it_was_written_is_computed_again(
    swept: Path, sweep_text: str, tmp_path: Path, cache: None
) -> None:
    """Every row damaged in another way, and one with the file of another."""
    (tmp_path / "sweep.toml").write_text(sweep_text)
    folder, spec = Folder(swept), load_spec(tmp_path / "sweep.toml")
    sweep = run_sweep(spec, folder)
    files = [folder.path / "rows" / row["point"][:2] / f"{row['point']}.json" for row in sweep.rows]
    first_row = files[0].read_text()
    for file, damage in zip(files, DAMAGE.values(), strict=False):
        before = file.read_text()
        file.write_text(damage(before))
        assert file.read_text() != before
    files[-1].write_text(first_row)
    again = run_sweep(spec, folder)
    assert (again.rows, again.found) == (sweep.rows, len(files) - len(DAMAGE) - 1)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures_are_functions_of_what_they_show(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(date: str) -> bytes:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", date)  # what the libraries take for now
        panel = Panel(title="time", series=(Series(name="a", x=[1.0], x_half=[0.0], y=[1.0], down=[0.0], up=[0.0]),),
                      best=[(1.0, 1.0)])
        return figure_bytes(figure_of_trade_offs([panel], "accuracy"), kind)

    assert made("0") == made("1000000000")


def test_two_axes_of_a_figure_are_told_apart_by_colour_and_marker() -> None:
    designs = [
        {"error": "", "network": "n", "chip": "c", "device": "d", "time_s": 0.0, "temp_C": 25.0, "adc.bits": bits,
         "core.corelet": corelet, "accuracy": 0.9, "interval_us": float(bits), "area_mm2": float(corelet)}
        for bits in (4, 6, 8) for corelet in (8, 16)
    ]
    panels = panels_of(designs, "accuracy", ["adc.bits", "core.corelet"])
    assert [panel.title for panel in panels] == ["interval from input to input (µs)", "area of the macros (mm²)"]
    looks = {(series.colour, series.marker): series.name for series in panels[0].series}
    assert len(looks) == 6
    assert looks[2, 1] == "adc.bits = 8, core.corelet = 16"
    single = panels_of(designs[::2], "accuracy", ["adc.bits", "core.corelet"])[0].series
    assert [(series.colour, series.marker) for series in single] == [(0, 0), (1, 1), (2, 2)]


def test_what_contradicts_itself_is_a_row_with_its_sentence(
    sweep_text: str, tmp_path: Path, cache: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hot.toml").write_text(
        'schema = 1\nextends = "tnsa16-core"\nname = "hot"\ncells.g_max_uS = 20.0\ntiming.t_sample_ns = 20.0\n')
    text = sweep_text.replace('["tnsa16-core"]', '["tnsa16-core", "hot.toml"]\ndevices = ["rram-neurram"]')
    (tmp_path / "sweep.toml").write_text(text.replace("[4, 6]", "[6]").replace("seeds = 3", "seeds = 1"))
    out = tmp_path / "out"
    assert run(["sweep", str(tmp_path / "sweep.toml"), "-o", str(out), "--jobs", "1"]) == 0
    said = capsys.readouterr().err
    assert "warning: 2 of 4 rows are refused" in said
    assert "warning: timing.t_sample_ns = 20 takes 20 ns, 3.9 time constants of a line" in said
    assert [bool(row["error"]) for row in rows(out)] == [False, False, True, True]
    assert "must be 1 to 40 uS as in device rram-neurram" in rows(out)[2]["error"]


def test_one_sweep_at_a_time(sweep_file: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")
    with folder.taken(), pytest.raises(InputError, match="another sweep writes to it now"):
        run_sweep(load_spec(sweep_file), folder)


def command(sweep: Path, folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "mho", "sweep", str(sweep), "-o", str(folder), *options]


def count(folder: Path) -> int:
    return len(list(folder.glob("rows/*/*.json")))


def wait_for(process: subprocess.Popen[bytes], folder: Path, minimum: int) -> None:
    end = time.monotonic() + 120.0
    while count(folder) < minimum and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


@pytest.mark.slow
def test_killed_twice_it_loses_and_doubles_nothing(
    sweep_text: str, tmp_path: Path, cache: None
) -> None:
    sweep, out = tmp_path / "sweep.toml", tmp_path / "out"
    sweep.write_text(sweep_text.replace("seeds = 3", "seeds = 25"))
    before: set[Path] = set()
    for minimum in (10, 45):
        process = subprocess.Popen(command(sweep, out, "--jobs", "2", "-q"))
        wait_for(process, out, minimum)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        written = set(out.glob("rows/*/*.json"))
        assert before < written  # what was done stays
        assert len(written) < 100
        before = written
    times = {path: path.stat().st_mtime_ns for path in before}
    assert subprocess.run(command(sweep, out, "--jobs", "1", "-q"), check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in before} == times
    undisturbed = run_sweep(load_spec(sweep), Folder(tmp_path / "again"))
    assert rows(out) == list(undisturbed.rows)
    assert len({row["point"] for row in rows(out)}) == len(rows(out)) == 100


@pytest.mark.slow
def test_an_interrupted_sweep_ends_with_its_workers(sweep_text: str, tmp_path: Path, cache: None) -> None:
    sweep, out = tmp_path / "sweep.toml", tmp_path / "out"
    sweep.write_text(sweep_text.replace("seeds = 3", "seeds = 400"))
    process = subprocess.Popen(
        command(sweep, out, "--jobs", "2"), stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(process, out, 5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode().rstrip().endswith("error: interrupted")
    assert b"Traceback" not in said
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("a worker goes on")


def test_designs_by_number_are_all_there(sweep_file: Path) -> None:
    space = Space(load_spec(sweep_file))
    assert len({repr(space.design(number)) for number in range(space.spec.size)}) == space.spec.size
