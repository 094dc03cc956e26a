"""What a command writes destroys nothing: inputs, other outputs, devices and links stay what they are."""

import json
import shutil
import stat
from pathlib import Path

import click
import numpy as np
import onnx
import pytest

from mho.cli import run
from mho.terminal.paths import READS, WORD, Reads, Word, Writes
from tests.mho.commands.command_page import commands

COMMANDS = [(name, command) for name, command in commands() if not isinstance(command, click.Group)]


@pytest.fixture
def folder(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("tiny.onnx", "tiny.mho", "x.npy", "y.npy", "data.npz"):
        shutil.copy(tiny.folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["program", "tiny.mho", "-o", "cells.npz", "-q"]) == 0
    assert run(["device", "show", "ideal", "-q"]) == 0
    shutil.copy(Path(__file__).parents[3] / "macro_models" / "devices" / "ideal.toml", "mine.toml")
    assert run(["preset", "show", "tnsa16-core", "-o", "chip.toml", "-q"]) == 0
    (tmp_path / "netlist.v").write_text("module x; endmodule\n")
    shutil.copy("chip.toml", "bases.toml")
    (tmp_path / "base.toml").write_text('schema = 1\nextends = "bases.toml"\n')
    chip = 'schema = 1\nextends = "base.toml"\nname = "mine"\n[macro]\nfiles = ["netlist.v"]\n'
    (tmp_path / "mine-chip.toml").write_text(chip)
    model = onnx.load("tiny.onnx")
    onnx.save(model, "outside.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_text_parameter_says_what_it_is(name: str, command: click.Command) -> None:
    undeclared = [param.name for param in command.params if param.type is click.STRING]
    assert undeclared == [], f"a parameter of mho {name} must be READS, WRITES or WORD"
    names = {param.name: param.type for param in command.params}
    assert isinstance(names["json_path"], Writes)
    assert isinstance(names.get("output", Writes()), Writes)
    for read in ("chip", "device", "cells", "network", "inputs", "port"):
        assert isinstance(names.get(read, READS), Reads), read
    for word in ("board", "backend"):
        assert isinstance(names.get(word, WORD), Word), word


RUN = "run tiny.mho --input x.npy"
INPUTS = [
    (f"{RUN} -o x.npy", "x.npy: is --output and --input"),
    (f"{RUN} -o tiny.mho", "tiny.mho: is --output and NET.mho|MODEL.onnx"),
    (f"{RUN} --labels y.npy -o ./y.npy", "./y.npy: is --output and --labels"),
    (f"{RUN} --cells cells.npz -o cells.npz", "cells.npz: is --output and --cells"),
    (f"{RUN} --device mine.toml --json mine.toml", "mine.toml: is --json and --device"),
    ("run tiny.mho --input data.npz:x -o data.npz", "data.npz: is --output and --input"),
    (f"{RUN} --backend cosim --waves x.npy", "x.npy: is --waves and --input"),
    ("compile tiny.onnx --chip tnsa16-core --calibrate x.npy -o tiny.onnx", "tiny.onnx: is --output and MODEL.onnx"),
    ("compile tiny.onnx --chip chip.toml --calibrate x.npy -o chip.toml", "chip.toml: is --output and --chip"),
    ("program tiny.mho -o tiny.mho", "tiny.mho: is --output and NET.mho"),
    ("program tiny.mho --from cells.npz -o cells.npz", "cells.npz: is --output and --from"),
    ("program tiny.mho --pulses tiny.mho", "tiny.mho: is --pulses and NET.mho"),
    ("device show mine.toml --json mine.toml", "mine.toml: is --json and DEVICE"),
    ("check chip.toml --json chip.toml", "chip.toml: is --json and CHIP"),
    ("verify core --netlist netlist.v --waves netlist.v", "netlist.v: is --waves and --netlist"),
    ("fpga load icebreaker x.npy --json x.npy", "x.npy: is --json and FILE"),
    ("generate chip.toml -o .", "chip.toml: is CHIP and --output"),
    ("check mine-chip.toml --json bases.toml", "bases.toml: is --json and part of CHIP"),
    ("check mine-chip.toml --json netlist.v", "netlist.v: is --json and part of CHIP"),
    ("compile tiny.onnx --chip mine-chip.toml --calibrate x.npy -o base.toml", "base.toml: is --output and part of"),
    ("compile outside.onnx --chip tnsa16-core --calibrate x.npy -o w.bin", "w.bin: is --output and part of MODEL.onnx"),
    (f"{RUN} --backend cosim --waves base.fst --device base.gtkw", "base.gtkw: is beside --waves and --device"),
    (f"{RUN} --backend cosim --waves a.fst --json a.gtkw", "a.gtkw: is beside --waves and --json"),
]
OUTPUTS = [
    (f"{RUN} -o a --json a", "a: is --output and --json"),
    (f"{RUN} -o a --json A", "is --output and --json"),
    (f"{RUN} -o a --json x/../a", "is --output and --json"),
    (f"{RUN} -o link --json x/a", "is --output and --json"),
    ("program tiny.mho -o a --pulses a", "a: is --output and --pulses"),
    ("program tiny.mho --plot a.png --pulses a.png", "a.png: is --pulses and --plot"),
    ("demo -o x --json x/demo.json", "x/demo.json: is --json and --output"),
    ("fpga build icebreaker -o x --json x/report.json", "x/report.json: is --json and --output"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("command", "sentence"), [*INPUTS, *OUTPUTS], ids=[c[0] for c in [*INPUTS, *OUTPUTS]])
def test_an_output_is_no_other_file_of_the_command(
    command: str, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x").mkdir()
    (folder / "link").symlink_to("x/a")
    before = contents(folder)
    capsys.readouterr()
    assert run(command.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err, err
    assert err.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize("alias", ["hard", "soft", "up"])
def test_another_name_of_an_input_is_the_input(
    alias: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if alias == "hard":
        (folder / "hard").hardlink_to(folder / "x.npy")
    elif alias == "soft":
        (folder / "soft").symlink_to("x.npy")
    path = f"../{folder.name}/x.npy" if alias == "up" else alias
    before = contents(folder)
    assert run([*RUN.split(), "-o", path]) == 2
    assert "is --output and --input" in capsys.readouterr().err
    assert contents(folder) == before


def test_outputs_of_other_names_are_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*RUN.split(), "-o", "/dev/null", "--json", "/dev/null"]) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (folder / "link").symlink_to("out.npy")
    assert run([*RUN.split(), "-o", "link", "--json", "a.json"]) == 0
    assert (folder / "link").is_symlink()
    assert np.load(folder / "out.npy").shape == (90, 3)
    assert json.loads((folder / "a.json").read_text())["images"] == 90
    assert run([*RUN.split(), "-o", "-"]) == 2
    assert not (folder / "-").exists()
