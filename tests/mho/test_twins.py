"""Every command has its function in Python, typed, and both give the same."""

import ast
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import COMMANDS, run
from mho.commands.doctor import inspect as inspect_machine
from mho.hw.tile.asm import assemble
from tests.mho.commands.command_page import TWINS, commands
from tests.mho.sweeps.conftest import SWEEP


def twin(name: str) -> Callable[..., object]:
    """What a dotted name of the table is."""
    package, *rest = TWINS[name].split(".")
    value: Any = importlib.import_module(package)
    for part in rest:
        if not hasattr(value, part):
            importlib.import_module(f"{value.__name__}.{part}")
        value = getattr(value, part)
    return value


def test_every_command_has_a_twin() -> None:
    assert set(COMMANDS) <= set(TWINS) <= {name for name, _ in commands()}


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_is_typed_and_says_what_it_does(name: str) -> None:
    function = twin(name)
    # As it is written: numpy's own ArrayLike is no business of ours.
    (written,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(written, ast.FunctionDef)
    signature = written.args
    catch_all = (signature.vararg, signature.kwarg)
    annotated = [written.returns, *(argument and argument.annotation for argument in catch_all)]
    arguments = [argument for argument in (*signature.args, *signature.kwonlyargs) if argument.arg != "self"]
    annotated += [argument.annotation for argument in arguments]
    assert None not in (written.returns, *annotated[3:])
    texts = [ast.unparse(annotation) for annotation in annotated if annotation is not None]
    assert not [text for text in texts if re.search(r"\bAny\b", text)]
    assert function.__doc__


def command(tmp_path: Path, *words: str) -> dict[str, Any]:
    """The JSON of a command."""
    assert run([*words, "-q", "--json", str(tmp_path / "told.json")]) == 0
    return json.loads((tmp_path / "told.json").read_text())


def as_json(content: object) -> Any:
    return json.loads(json.dumps(content))


def test_lists(tmp_path: Path) -> None:
    entries = command(tmp_path, "preset", "list")["presets"]
    assert [(e["name"], e["cores"], e["lines"]) for e in entries] == [
        (name, chip.description.cores, chip.lines) for name, chip in mho.presets().items()
    ]
    entries = command(tmp_path, "device", "list")["devices"]
    assert entries == [{"name": k, "description": d.model.description} for k, d in mho.devices().items()]
    entries = command(tmp_path, "fpga", "list")["boards"]
    assert [(e["name"], e["device"], e["status"]) for e in entries] == [
        (name, board.device, board.status) for name, board in mho.boards().items()
    ]
    with pytest.raises(mho.InputError, match=f"must be one of {', '.join(mho.backends())}, not"):
        mho.run_tiles("p.s", "tnsa64-2x2", np.zeros(1), backend="frob")


def test_doctor(tmp_path: Path) -> None:
    assert run(["doctor", "functional", "-q", "--json", str(tmp_path / "told.json")]) in (0, 1)
    findings = json.loads((tmp_path / "told.json").read_text())["findings"]
    assert [(e["name"], e["found"]) for e in findings] == [(f.name, f.found) for f in inspect_machine(("functional",))]


def test_check(tmp_path: Path) -> None:
    report = command(tmp_path, "check", "tnsa16-core", "--set", "adc.bits=6")
    checked = mho.check("tnsa16-core", **{"adc.bits": 6})
    assert (checked.sizes, checked.rated) == (report["sizes"], report["rated"])
    assert (checked.warnings, checked.pins) == (report["warnings"], report["pins"])
    assert checked.chip.description.sha256 == report["sha256"]
    assert "cores: 1" in repr(checked)
    with pytest.raises(mho.InputError, match="did you mean bits"):
        mho.check("tnsa16-core", **{"adc.bitz": 6})
    with pytest.raises(mho.InputError, match=r"adc\.bits: keys are changed when a chip is loaded"):
        mho.check(checked.chip, **{"adc.bits": 5})


def test_compare_chips_devices_and_runs(tmp_path: Path, tiny: Any) -> None:
    first, second = (mho.Chip.load("tnsa16-core", **{"adc.bits": bits}) for bits in (6, 8))
    assert [difference.key for difference in mho.compare(first, second).keys] == ["adc.bits"]
    for pair in (("tnsa16-core", "tnsa16-2x2"), ("rram-neurram", "rram-relax")):
        report = command(tmp_path, "compare", *pair)["compared"][0]
        compared = mho.compare(*pair)
        assert as_json(compared.to_dict()).items() <= report.items()
        assert len(repr(compared)) < 300
    net = mho.load(tiny.path("tiny.mho"))
    results = [net.run(tiny.x, seeds=3, time=time) for time in ("1s", "1d")]
    paths = [tmp_path / f"{k}.json" for k in range(2)]
    for path, result in zip(paths, results, strict=True):
        result.save_json(path)
    report = command(tmp_path, "compare", *map(str, paths))["compared"][0]
    assert as_json(mho.compare(*paths).to_dict()) == report
    assert as_json(mho.compare(results[0], results[1]).to_dict()) | {"run": ""} == report | {"run": ""}
    with pytest.raises(mho.InputError, match="second is a device, and first a chip: things of one kind"):
        mho.compare("tnsa16-core", "ideal")


def test_report(tmp_path: Path, tiny: Any) -> None:
    result = mho.load(tiny.path("tiny.mho")).run(tiny.x)
    result.save_json(tmp_path / "run.json", tiny.y)
    report = command(tmp_path, "report", str(tmp_path / "run.json"), "-o", str(tmp_path / "a.html"))["runs"]
    said = mho.report(tmp_path / "run.json", tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert said == [{key: report[0][key] for key in said[0]}]
    again = mho.report([result], tmp_path / "c.html", labels=tiny.y, figures=tmp_path / "figures")
    assert again[0]["accuracy"] == said[0]["accuracy"]
    assert list((tmp_path / "figures").glob("*.svg"))
    with pytest.raises(mho.InputError, match="activity takes liberty"):
        mho.report(result, tmp_path / "d.html", activity="x.fst")


@pytest.mark.slow
def test_sweep(tmp_path: Path, tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "sweep.toml"
    spec.write_text(SWEEP.format(folder=tiny.folder), encoding="utf-8")
    swept = mho.sweep(spec, tmp_path / "python")
    assert capsys.readouterr().out == ""
    report = command(tmp_path, "sweep", str(spec), "-o", str(tmp_path / "command"), "--jobs", "1")
    assert as_json(swept.designs) == report["designs"]
    assert (tmp_path / "python" / "rows.csv").read_bytes() == (tmp_path / "command" / "rows.csv").read_bytes()
    assert len(repr(swept)) < 100


@pytest.mark.slow
def test_fit(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(3), ["cell,t_s,g_uS,g_target_uS"]
    for cell in range(160):
        target = (5.0, 15.0, 25.0, 35.0)[cell % 4]
        rows += [f"{cell},{t},{target + rng.normal(0.0, 0.3 + 0.1 * k)},{target}" for k, t in enumerate((1, 60, 3600))]
    (tmp_path / "lab.csv").write_text("\n".join(rows) + "\n")
    report = command(tmp_path, "device", "fit", str(tmp_path / "lab.csv"), "-o", str(tmp_path / "mine.toml"))
    device = mho.fit(tmp_path / "lab.csv", name="mine", command="mho device fit lab.csv")
    assert as_json(device.model.to_dict()).items() <= report.items()
    device.save(tmp_path / "again.toml")
    assert (tmp_path / "again.toml").read_bytes() == (tmp_path / "mine.toml").read_bytes()
    with pytest.raises(mho.InputError, match=r"^g_max_uS must be from 0 to 1e6 uS, not -1$"):
        mho.fit(tmp_path / "lab.csv", g_max_uS=-1.0)


def test_programs_of_tiles(tmp_path: Path) -> None:
    (tmp_path / "p.s").write_text("halt\n")
    assert run(["asm", str(tmp_path / "p.s"), "-o", str(tmp_path / "p.bin"), "-q"]) == 0
    program = mho.assemble("halt\n")
    assert program.pack() == (tmp_path / "p.bin").read_bytes()
    assert command(tmp_path, "disasm", str(tmp_path / "p.bin"))["text"] == mho.disassemble(program)
    assert mho.assemble is assemble
