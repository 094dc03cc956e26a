"""What is spent on a network: changes that are tried and kept, by a made-up compiler, and by the real one."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mho
from mho.api.spending import CHIPS, FIRST_SEED, spend
from mho.cli import run
from mho.results import score
from tests.mho.conftest import Tiny

SAVED = {("in_bits", "a"): (0.3, 5), ("in_bits", "b"): (0.2, 2), ("slices", "b"): (0.1, 0), ("error", None): (0.05, 1)}
"""Error that a change saves, and conversions that it takes."""


def made_up(spread: float = 0.0) -> Callable[..., Any]:
    """A compiler of networks whose error begins with 1 and is ``spread`` away from that from chip to chip."""

    def build(**options: Any) -> Any:
        by_layer = [(option, name) for option in ("in_bits", "slices") for name in options.get(option) or {}]
        if ("slices", "a") in by_layer:
            raise mho.InputError("no room")
        chosen = [SAVED[change] for change in by_layer] + [SAVED["error", None]] * ("error" in options)
        error = 1.0 - sum(saved for saved, _ in chosen)
        runs = [SimpleNamespace(outputs=np.array([1.0 + error + spread * (-1) ** chip])) for chip in range(CHIPS)]
        redundancy = SimpleNamespace(without=0.2, reached=0.1)
        return SimpleNamespace(
            options=options, run=lambda *_, **__: SimpleNamespace(reference=np.array([1.0]), runs=runs),
            summary=lambda: {"layers": [{"name": "a", "in_bits": 5}, {"name": "b", "in_bits": 4}], "cores": 1,
                             "mvms_per_image": 10 + sum(taken for _, taken in chosen)},
            network=SimpleNamespace(chip=SimpleNamespace(cores=1),
                                    calibration=SimpleNamespace(time_s=0.0, redundancy=redundancy)),
        )

    return build


def spent(times: float, spread: float = 0.0, **options: Any) -> Any:
    return spend(made_up(spread), np.zeros(1), options, times)


def test_what_wins_most_for_a_conversion_comes_first() -> None:
    net = spent(1.35)
    assert net.options == {"slices": {"b": 2}, "in_bits": {"b": 8}, "error": 0.169}
    assert net.summary()["mvms_per_image"] == 13
    assert spent(1.0).options == {"slices": {"b": 2}}
    assert spent(1.8).options["in_bits"] == {"a": 8, "b": 8}


def test_all_that_was_tried_is_listed_but_what_has_no_room() -> None:
    net = spent(1.0)
    assert net.spent[0].changes == ()
    alone = [trial for trial in net.spent if len(trial.changes) == 1]
    errors = [("error", None, float(f"{1.005 * 0.2 * 2 ** (-k / 4):.3g}")) for k in range(1, 5)]
    of_layers = [("in_bits", "a", 8), ("in_bits", "b", 8), ("slices", "b", 2)]
    assert [trial.changes[0] for trial in alone] == [*of_layers, *errors]
    assert [trial.changes[0] for trial in alone if trial.kept] == [("slices", "b", 2)]
    assert [trial.error for trial in alone[:3]] == pytest.approx([0.7, 0.8, 0.9])
    assert [trial.conversions for trial in alone[:3]] == [15, 12, 10]


def test_what_may_be_chance_is_not_kept() -> None:
    """16 errors of +-s differ by s / sqrt(15) from chip to chip: 2 standard errors of a difference are 0.73 s."""
    assert spent(2.0, spread=0.4).options == {"in_bits": {"a": 8}}
    assert spent(2.0, spread=0.45).options == {}


def test_options_of_the_user_stay() -> None:
    net = spent(2.0, in_bits={"b": 8}, error=0.5)
    assert net.options == {"in_bits": {"b": 8}, "error": 0.5, "slices": {"b": 2}}


@pytest.mark.parametrize("times", [0.9, float("nan"), "2"])
def test_less_than_what_it_takes_is_refused(times: Any) -> None:
    with pytest.raises(mho.InputError, match="compile option spend must be a number of at least 1, not"):
        spent(times)


def test_a_dry_run_spends_nothing(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compile", tiny.path("tiny.onnx"), "--chip", "tnsa16-core", "--dry-run", "--spend", "2"]) == 2
    assert "--spend compiles and measures: it can't be had with --dry-run" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("programs", ["false", "true"])
def test_the_command_says_what_it_tried(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], programs: str
) -> None:
    chip = ["--chip", "tnsa16-2x2", "--set", f"tile.programs={programs}", "--device", "rram-relax"]
    command = ["compile", tiny.path("tiny.onnx"), *chip, "--calibrate", tiny.path("x.npy")]
    words = ["-o", str(tmp_path / "n.mho"), "--spend", "2", "--json", str(tmp_path / "n.json")]
    assert run([*command, *words]) == 0
    text, rows = capsys.readouterr().out, json.loads((tmp_path / "n.json").read_text())["spent"]
    assert max(map(len, text.splitlines()[2:])) <= 80
    assert len([line for line in text.splitlines() if "hidden: " in line or "cells: " in line]) >= 2
    first, net = rows[0], mho.load(tmp_path / "n.mho")
    kept = [row for row in rows if row["kept"]]
    best = min(kept, key=lambda row: row["error"])
    assert best["error"] < first["error"]
    assert net.summary()["mvms_per_image"] == best["conversions"] <= 2 * first["conversions"]
    result = net.run(tiny.x, time=net.network.calibration.time_s, seed=FIRST_SEED, seeds=CHIPS, device_draws=0)
    errors = [score.relative_error(one.outputs, result.reference) for one in result.runs]
    assert np.mean(errors) == pytest.approx(best["error"], rel=1e-9)
    assert np.std(errors, ddof=1) / CHIPS**0.5 == pytest.approx(best["uncertainty"], rel=1e-9)
