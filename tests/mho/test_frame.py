"""The frame of the command: versions, failures as one sentence, exit codes, laziness."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from mho.cli import run
from tests.mho.commands.command_page import commands, page

ROOT = Path(__file__).parents[2]


def mho(*arguments: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, PYTHONPATH=str(ROOT)) | dict(kwargs.pop("env", {}))  # type: ignore[call-overload]
    return subprocess.run(
        [sys.executable, "-m", "mho", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        **kwargs,  # type: ignore[call-overload]
    )


def imported(code: str) -> set[str]:
    """Top-level modules that are loaded after ``code`` ran in a fresh interpreter."""
    script = f"{code}\nimport sys\nprint('\\n' + ' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_is_lazy() -> None:
    heavy = {"numpy", "scipy", "onnx", "cocotb", "matplotlib", "amaranth", "rich", "click", "numba"}
    assert not heavy & imported("import mho")


def test_help_imports_no_part_of_the_project() -> None:
    loaded = imported("from mho.cli import run; run(['--help'])")
    assert not {"numpy", "onnx", "cocotb", "matplotlib", "amaranth", "rich", "hw", "compiler", "sim"} & loaded


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"mho {project['version']}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["prset"], "there is no command 'prset', did you mean preset?"),
        (["preset", "shw"], "there is no command 'shw', did you mean show?"),
        (["doctor", "kosim"], "invalid value for '[functional|cosim|fpga|layout]'"),
        (["check"], "missing argument 'CHIP'"),
        (["check", "tnsa16-core", "--frob"], "no such option '--frob'"),
    ],
)
def test_usage_errors_are_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.lower().startswith(f"error: {sentence.lower()}")
    assert captured.err.count("\n") == 1


def test_the_reference_page_is_that_of_the_commands() -> None:
    # Where this fails: python -m tests.mho.commands.command_page
    assert (ROOT / "docs" / "reference" / "command.md").read_text() == page()


def test_the_reference_page_lists_every_command_and_option() -> None:
    text = (ROOT / "docs" / "reference" / "command.md").read_text()
    everywhere = text.partition("\n## ")[0]
    for name, command in commands():
        _, _, section = text.partition(f" mho {name}\n")
        section = everywhere + section.partition("\n## ")[0]
        shown = (param for param in command.params if isinstance(param, click.Option) and not param.hidden)
        for option in (o for param in shown for o in param.opts):
            assert option in section, (name, option)


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_help_ends_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), "--help"]) == 0
    last = capsys.readouterr().out.rstrip().splitlines()[-2:]
    assert last[0].strip() == "Example:"
    assert last[1].strip().startswith(f"mho {name}")


@pytest.mark.parametrize("name", [name for name, command in commands() if not isinstance(command, click.Group)])
def test_common_options_are_everywhere(name: str) -> None:
    options = {option for param in dict(commands())[name].params for option in param.opts}
    assert {"--json", "-q", "--quiet", "-v", "--verbose"} <= options
    takes_chip = bool({"chip", "--chip"} & options)
    # mho program takes the network's chip and changes how it is programmed.
    assert (takes_chip or name == "program") == ("--set" in options)
    assert ("-o" in options) == ("--output" in options)


def test_a_defect_is_one_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("mho.hw.config.preset_names", lambda: 1 / 0)
    assert run(["preset", "list"]) == 1
    err = capsys.readouterr().err
    match = re.fullmatch(
        r"error: internal error \(ZeroDivisionError: division by zero\), the traceback is in (.*)\n", err
    )
    assert match is not None
    assert "mho preset list" in Path(match[1]).read_text()
    assert "ZeroDivisionError" in Path(match[1]).read_text()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_exits_with_130(
    failure: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise failure

    monkeypatch.setattr("mho.hw.config.preset_names", interrupted)
    assert run(["preset", "list"]) == 130
    assert capsys.readouterr().err.strip() == "error: interrupted"


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    writer = f"{sys.executable} -m mho preset show neurram-core"
    done = subprocess.run(
        ["bash", "-c", f"{writer} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )
    assert done.stderr == ""
    assert done.stdout in ("0\n", "1\n")


def test_output_is_plain_without_a_terminal() -> None:
    done = mho("preset", "list")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()


def test_json_replaces_the_text_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "tnsa16-core", "--set", "adc.bits=6", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["chip"]["adc"]["bits"] == 6


def test_json_to_a_file_keeps_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["preset", "list", "--json", str(tmp_path / "p.json")]) == 0
    assert "neurram-core" in capsys.readouterr().out
    names = [preset["name"] for preset in json.loads((tmp_path / "p.json").read_text())["presets"]]
    assert "neurram-core" in names
    assert list(tmp_path.iterdir()) == [tmp_path / "p.json"]


def test_preset_show_writes_what_can_be_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    assert run(["preset", "show", "tnsa16-core", "-o", str(file)]) == 0
    assert run(["check", str(file)]) == 0
    assert "core.corelet" in capsys.readouterr().out


def test_check_refuses_a_range_that_is_not_the_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "neurram-core", "--set", "cells.g_max_uS=30"]) == 2
    assert "must be 1 to 40 uS as in device rram-neurram, not 1 to 30 uS" in capsys.readouterr().err
