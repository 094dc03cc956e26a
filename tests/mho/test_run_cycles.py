"""``mho run --cycles``: cells that were switched before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.cli import run
from mho.macro_models.devices import load_device
from mho.macro_models.fit import device_toml


@pytest.fixture
def worn(tmp_path: Path) -> Path:
    """A device of cells that were switched 1 to 10,000 times: they lose 3 uS with each decade after a day."""
    plain = load_device("rram-relax")
    fit = replace(
        plain.fit, cycles_times_s=(1e5,), cycles_range=(1.0, 99.0, 1e4), cycles_mean_uS=(-3.0,),
        cycles_mean_error_uS=(0.1,), cycles_spread=(0.3,), cycles_spread_error=(0.02,),
    )
    path = tmp_path / "worn.toml"
    path.write_text(device_toml(replace(plain, name="worn", fit=fit)))
    return path


@pytest.mark.slow
def test_cells_that_were_switched_before_are_further_off(
    tiny: Any, worn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--labels", tiny.path("y.npy")]
    same = ["--device", str(worn), "--time", "1e5s", "--limit", "30", "--only", "relaxation"]

    def ran(*more: str) -> tuple[dict[str, Any], str, np.ndarray]:
        saved = ["-o", str(tmp_path / "y.npy"), "--json", str(tmp_path / "r.json")]
        assert run([*files, *same, *saved, *more]) == 0
        return json.loads((tmp_path / "r.json").read_text()), capsys.readouterr().err, np.load(tmp_path / "y.npy")

    plain, said, y = ran()
    assert "fitted to cells switched" not in said
    assert "cycles" not in plain["command"]
    usual, said, y_usual = ran("--cycles", "99")
    assert "extrapolated" not in said
    assert usual["command"]["cycles"] == 99
    old, said, y_old = ran("--cycles", "100000000")
    assert "worn is fitted to cells switched 1 to 1e+04 times: 100,000,000 are extrapolated" in said
    assert len({content["hashes"]["device"] for content in (plain, usual, old)}) == 3
    # At the usual number of cycles the law is that of the data; six decades later it is another.
    assert np.abs(y_usual - y).mean() < 0.1 * np.abs(y_old - y).mean()


def test_what_cycles_cannot_be_is_a_sentence(tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--limit", "2"]
    assert run([*files, "--cycles", "-1"]) == 2
    assert "--cycles must be from 0 to 1e12, not -1" in capsys.readouterr().err
