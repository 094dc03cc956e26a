"""``mho verify``: the bench through the command."""

import json
from pathlib import Path

import pytest

from mho.cli import run


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.cosim("iverilog", "vvp")
def test_verify_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "core", "--sim", "icarus", "--json", str(tmp_path / "v.json")]) == 0
    assert "equal to the model bit for bit" in capsys.readouterr().out
    content = json.loads((tmp_path / "v.json").read_text())
    assert (content["chip"], content["simulator"]) == ("tnsa16-core", "icarus")
    assert content["operations"] > 0
    assert content["counts"]["direction"].keys() == {"forward", "backward"}
