"""What a shell completes, asked as click's scripts for shells ask."""

import sys
from pathlib import Path

import pytest
from click.shell_completion import CompletionItem, ShellComplete

from mho.cli import cli
from mho.fpga.boards import BOARDS
from mho.hw.config import preset_names
from mho.macro_models.devices import device_names
from mho.runs.backends import BACKENDS
from tests.mho.commands.command_page import commands


def items(line: str) -> list[CompletionItem]:
    *words, last = line.split(" ")
    return ShellComplete(cli, {}, "mho", "_MHO_COMPLETE").get_completions(words, last)


def completed(line: str) -> list[str]:
    """What may stand in place of the last word of a line; of files the word itself."""
    return [item.value for item in items(line)]


@pytest.mark.parametrize(("line", "names"), [
    ("check ", preset_names()),
    ("generate ", preset_names()),
    ("run net.onnx --chip ", preset_names()),
    ("verify core --chip ", preset_names()),
    ("fpga simulate icebreaker --chip ", preset_names()),
    ("preset show ", preset_names()),
    ("device show ", device_names()),
    ("device show ideal ", device_names()),
    ("run net.mho --device ", device_names()),
    ("compile m.onnx --device ", device_names()),
    ("program net.mho --pulse-law ", device_names()),
    ("device fit x.csv --temperature-from ", device_names()),
    ("compare ", [*preset_names(), *device_names()]),
    ("run net.mho --backend ", list(BACKENDS)),
    ("program net.mho --backend ", list(BACKENDS)),
    ("tiles p.s --backend ", list(BACKENDS)),
    ("fpga build ", list(BOARDS)),
])  # fmt: skip
def test_names_are_completed(line: str, names: list[str]) -> None:
    assert [name for name in completed(line) if name] == names
    first = names[0][:3]
    assert [name for name in completed(line + first) if name != first] == [n for n in names if n.startswith(first)]


def test_keys_are_those_of_the_chip() -> None:
    keys = completed("check tnsa16-core --set adc.")
    assert "adc.bits=" in keys
    assert all(key.startswith("adc.") for key in keys)
    assert completed("run m.onnx --chip tnsa16-core --set adc.") == keys
    assert completed("check tnsa16-core --set adc.bits=4 --set adc.") == keys
    assert completed("check hermes-core --set adc.") != keys
    every = completed("run m.onnx --set adc.")
    assert {*keys, *completed("check hermes-core --set adc.")} <= {*every}
    assert completed("check no-chip --set adc.") == every


def test_files_are_completed_where_a_file_is_read_or_written() -> None:
    for line in ("run ne", "check my", "run net.mho -o o", "report run", "compile m"):
        assert items(line)[0].type == "file"


def test_every_parameter_of_a_name_completes_it() -> None:
    expected = {
        "CHIP": "_presets", "DEVICE": "_devices", "DEVICE...": "_devices", "BOARD": "_boards", "KEY=VALUE": "_keys",
    }
    for name, command in commands():
        for param in command.params:
            if param.metavar in expected or "--backend" in param.opts:
                names = getattr(getattr(param.type, "names", None), "__name__", "")
                assert names == expected.get(param.metavar or "", "_backends"), (name, param.name)


@pytest.mark.slow
def test_the_command_answers_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    mho = Path(sys.executable).with_name("mho")
    words = "mho check tnsa16-core --set adc.bi"
    for name, value in {"_MHO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([mho], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "plain,adc.bits=\n"
    assert "_MHO_COMPLETE=bash_source mho" in subprocess.run(
        [mho, "--help"], capture_output=True, text=True, timeout=60, check=True, env={"PATH": "/usr/bin"}
    ).stdout
