"""Bad input: exit 2 (a missing tool: 1), exactly one sentence on stderr, no traceback, no output file."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from mho.cli import run

Prepare = Callable[[Path], None]
Case = tuple[str, str, str, Prepare | None]
"""What is wrong, the command, what the sentence must say, and what makes the file."""


def _array(name: str, value: object) -> Prepare:
    return lambda folder: np.save(folder / name, np.asarray(value), allow_pickle=True)


def _text(name: str, value: str) -> Prepare:
    return lambda folder: (folder / name).write_text(value) and None


def _cut(folder: Path) -> None:
    data = (folder / "tiny.mho").read_bytes()
    (folder / "cut.mho").write_bytes(data[: len(data) // 2])


def _altered(folder: Path) -> None:
    import zipfile

    with zipfile.ZipFile(folder / "tiny.mho") as old, zipfile.ZipFile(folder / "altered.mho", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b'"seeds": 3', b'"seeds": 4') if name.endswith(".json") else data)
        new.comment = old.comment


def _unsupported(folder: Path) -> None:
    import onnx
    from onnx import TensorProto

    graph = helper.make_graph(
        [helper.make_node("Bernoulli", ["x"], ["y"], name="bell")],
        "unsupported",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(folder / "bernoulli.onnx"))


DEAD = np.full((16, 16), np.nan)


def _negative(folder: Path) -> None:
    g = np.ones((16, 16))
    g[3, 4] = -1
    np.save(folder / "g.npy", g)


RUN = "run tiny.mho --input x.npy -o out.npy"
COMPILE = "compile tiny.onnx --chip tnsa16-core --calibrate x.npy -o out.mho"

NETWORK = "run tiny.mho --input bad.npy -o out.npy"
BROKEN = "schema = 1\n[adc]\nbitz = 6\n"
LOWER_CASE = "schema = 1\n[cells]\ng_max_us = 4\n"
NO_NAME = "schema = 1\nname = 3\n"

CHIPS: list[Case] = [
    ("unknown key", "check bad.toml", r"bad\.toml:3: .*adc\.bitz.*bits", _text("bad.toml", BROKEN)),
    ("unit in the wrong case", "check bad.toml", r"did you mean g_max_uS", _text("bad.toml", LOWER_CASE)),
    ("impossible size", "check tnsa16-core --set core.corelet=17", r"core\.corelet must be 4, 8 or 16, not 17", None),
    ("value of the wrong kind", "check tnsa16-core --set adc.bits=six", r"adc\.bits must be an integer", None),
    ("--set without =", "check tnsa16-core --set adc.bits", r"--set must be KEY=VALUE", None),
    ("unknown chip", "check nerram-core", r"did you mean neurram-core\?", None),
    ("chip file that is missing", "check none.toml", r"none\.toml: cannot be read", None),
    ("garbage as chip", "check bad.toml", r"bad\.toml", _text("bad.toml", "\x01\x02 = [")),
    ("unknown preset", "preset show frob -o out.toml", r"frob", None),
    ("generate to a file", "generate tnsa16-core -o x.npy", r"x\.npy", None),
    ("generate to nowhere", "generate tnsa16-core", r"missing option '-o'", None),
    ("generate into a file", "generate tnsa16-core -o x.npy/out", r"out: cannot be written, .*x\.npy is a file", None),
    ("unknown wrap", "generate tnsa16-core -o out --wrap usb", r"wrap", None),
]
FILES: list[Case] = [
    ("network that is missing", "run none.mho --input x.npy -o out.npy", r"none\.mho: cannot be read", None),
    ("garbage as network", "run x.npy --input x.npy -o out.npy", r"x\.npy: is no network file", None),
    ("network that was cut", "run cut.mho --input x.npy -o out.npy", r"cut\.mho: is no network file", _cut),
    ("network that was altered", "run altered.mho --input x.npy -o out.npy", r"altered\.mho: was altered", _altered),
    ("input that is missing", "run tiny.mho --input none.npy -o out.npy", r"none\.npy: cannot be read", None),
    ("garbage as input", NETWORK, r"bad\.npy: ", _text("bad.npy", "no array")),
    ("array of objects", NETWORK, r"bad\.npy: is no \.npy or \.npz file .*holds objects", _array("bad.npy", [{}, 1])),
    ("array of text", NETWORK, r"bad\.npy: holds <U1", _array("bad.npy", ["a", "b"])),
    ("wrong shape", NETWORK, r"needs shape \[samples, 6\], not \[2, 5\]", _array("bad.npy", np.ones((2, 5)))),
    ("scalar", NETWORK, r"bad\.npy: has shape \[\]", _array("bad.npy", 3.0)),
    ("empty input", NETWORK, r"bad\.npy: has shape \[0, 6\]", _array("bad.npy", np.ones((0, 6)))),
    ("NaN in the input", NETWORK, r"bad\.npy: has NaN", _array("bad.npy", np.full((2, 6), np.nan))),
    ("key that is missing", "run tiny.mho --input data.npz:z -o out.npy", r"data\.npz: has no array 'z'", None),
    (
        "labels too few",
        f"{RUN} --labels bad.npy",
        r"labels must be as many .*, 90, not 3",
        _array("bad.npy", [0, 1, 2]),
    ),
    ("labels that are no classes", f"{RUN} --labels x.npy", r"x\.npy: labels must be a vector of whole numbers", None),
    ("labels beyond", f"{RUN} --labels bad.npy", r"between 0 and 2, not 7 to 7", _array("bad.npy", np.full(90, 7))),
    ("model that is missing", COMPILE.replace("tiny.onnx", "none.onnx"), r"none\.onnx", None),
    ("garbage as model", COMPILE.replace("tiny.onnx", "x.npy"), r"x\.npy", None),
    (
        "unsupported operator", COMPILE.replace("tiny.onnx", "bernoulli.onnx"),
        r"bell.*Bernoulli.*not supported; mho compile --operators", _unsupported,
    ),
    ("wrong calibration", COMPILE.replace("x.npy", "bad.npy"), r"\[samples, 6\]", _array("bad.npy", np.ones((4, 2)))),
]
OPTIONS: list[Case] = [
    ("unknown device", f"{RUN} --device frob", r"device must be one of ecram, .* not \"frob\"", None),
    ("garbage as device", f"{RUN} --device bad.toml", r"bad\.toml", _text("bad.toml", NO_NAME)),
    ("unknown backend", f"{RUN} --backend frob", r"backend must be one of functional, .* not 'frob'", None),
    ("unknown cause", f"{RUN} --without frob", r"cause must be one of programming, .* not 'frob'", None),
    ("without and only", f"{RUN} --without adc --only wire", r"without and --only exclude each other", None),
    (
        "time without meaning",
        f"{RUN} --time soon",
        r"must be a number with s, m, h, d or y, as in 1d, not 'soon'",
        None,
    ),
    ("below zero kelvin", f"{RUN} --temp -300", r"temp must be a temperature in degrees Celsius, not -300", None),
    (
        "more seeds than memory",
        f"{RUN} --seeds 4294967296",
        r"a run of 90 images and 4294967296 seeds would need about .* TB of memory, and .* are available; take fewer",
        None,
    ),
    ("no seeds", f"{RUN} --seeds 0", r"seeds must be at least 1, not 0", None),
    ("negative seed", f"{RUN} --seed -1", r"seed must be between 0 and 2\*\*32 - 1, not -1", None),
    ("no images", f"{RUN} --limit 0", r"limit must be at least 1, not 0", None),
    ("waves of a model", f"{RUN} --waves out.fst", r"--waves is for the backend cosim, not functional", None),
    ("chip for a network file", f"{RUN} --chip tnsa16-core", r"tiny\.mho: --chip is for an \.onnx model", None),
    ("no chip for a model", RUN.replace("mho", "onnx"), r"tiny\.onnx: an \.onnx model needs --chip", None),
    ("output into no folder", f"{RUN[:-7]} none/out.npy", r"none/out\.npy: the folder 'none' does not exist", None),
    ("JSON into no folder", f"{RUN} --json none/o.json", r"none/o\.json: the folder 'none' does not exist", None),
    ("missing option", "compile tiny.onnx", r"missing option '--chip'", None),
    ("unknown option", f"{RUN} --frob", r"no such option '--frob'", None),
    ("not a number", f"{RUN} --seed one", r"'one' is not a valid integer", None),
    ("report of what is not there", "report none.json", r"none\.json: cannot be read .*No such file", None),
    ("report of what is no run", "report x.npy", r"x\.npy", None),
    ("report of no page", "report none.json -o page.pdf", r"page\.pdf: the name must end in \.html or \.htm", None),
    ("library without netlist", "verify core --library x.v", r"--library needs --netlist", None),
    ("netlist that is missing", "verify core --netlist none.v", r"netlist must be a Verilog file", None),
    ("no such part", "verify frob", r"there is no command 'frob'; there are core, noc, tile, chip", None),
    ("mesh too large", "verify noc --columns 17", r"columns must be 1 to 16, not 17", None),
    ("payload of a flit", "verify noc --payload 48", r"payload_bits must be 32, 64 or 128, not 48", None),
    ("chip without a mesh", "verify noc --chip tnsa16-core", r"mesh\.columns x mesh\.rows must be at least two", None),
    ("figure of no kind", "verify noc -o noc.abc", r"noc\.abc: the name must end in \.png, \.pdf or \.svg", None),
]
PROGRAM = "program tiny.mho -o out.npz"
CELLS = "run tiny.mho --input x.npy -o out.npy --cells"
CELL_CASES: list[Case] = [
    ("all cells dead", f"{PROGRAM} --from g.npy", r"g\.npy: every cell of core 0 is NaN", _array("g.npy", DEAD)),
    (
        "map of a wrong shape",
        f"{PROGRAM} --from g.npy",
        r"must have shape \(16, 16\), not \(8, 8\)",
        _array("g.npy", DEAD[:8, :8]),
    ),
    ("map of four axes", f"{PROGRAM} --from g.npy", r"must have shape \(N, N\) or", _array("g.npy", DEAD[None, None])),
    ("too many maps", f"{PROGRAM} --from g.npy", r"needs 1 cores .*, not 2", _array("g.npy", [DEAD, DEAD])),
    ("negative map", f"{PROGRAM} --from g.npy", r"in uS of at least 0 .* or NaN .* not -1 at \[3, 4\]$", _negative),
    ("map of text", f"{PROGRAM} --from g.npy", r"g\.npy: must hold conductances", _array("g.npy", ["a"])),
    ("map that is missing", f"{PROGRAM} --from none.npz", r"none\.npz: cannot be read", None),
    ("map that is no array", f"{PROGRAM} --from tiny.onnx", r"tiny\.onnx: ", None),
    ("map of another key", f"{PROGRAM} --from data.npz:g", r"data\.npz: has no array 'g', but x, y", None),
    ("pulses of measured cells", f"{PROGRAM} --from x.npy --pulses p.csv", r"pulses and a measured map exclude", None),
    ("another chip", f"{PROGRAM} --set adc.bits=4", r"only programming\.KEY can be changed", None),
    ("unknown key of programming", f"{PROGRAM} --set programming.pases=1", r"did you mean passes", None),
    ("no such backend", f"{PROGRAM} --backend frob", r"backend must be one of functional, cosim", None),
    ("no network", "program x.npy -o out.npz", r"x\.npy: is no network file", None),
    ("pulses into no folder", f"{PROGRAM} --pulses none/p.csv", r"none/p\.csv: the folder 'none'", None),
    ("cells that are missing", f"{CELLS} none.npz", r"none\.npz: cannot be read", None),
    ("cells that are none", f"{CELLS} data.npz", r"data\.npz: is no file of cells", None),
    ("cells that are a network", f"{CELLS} tiny.mho", r"tiny\.mho: is no file of cells", None),
    ("cells of a model", CELLS.replace("mho", "onnx") + " c.npz", r"not of an \.onnx model", None),
    ("slices that are no number", f"{COMPILE} --slices two", r"--slices must be none, a number or LAYER=N", None),
    ("slices of no layer", f"{COMPILE} --slices =2,", r"--slices must be none, a number or LAYER=N", None),
    ("slices of a layer twice", f"{COMPILE} --slices hidden=2,hidden=3", r"--slices must name each layer once", None),
    ("too many slices", f"{COMPILE} --slices hidden=9", r"slices must be a whole number between 1 and 4", None),
    ("slices of an unknown layer", f"{COMPILE} --slices fc9=2", r"'fc9'; the layers are hidden, scores", None),
    ("no cells to avoid", f"{COMPILE} --cells data.npz", r"data\.npz: is no file of cells", None),
]
CASES = CHIPS + FILES + OPTIONS + CELL_CASES


def _one_sentence(err: str) -> str:
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if not re.search(r"\.\.\.$| after \d+ s$", line)]
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture
def folder(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("tiny.onnx", "tiny.mho", "x.npy", "y.npy", "data.npz"):
        (tmp_path / name).write_bytes((tiny.folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "sentence", "prepare"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_bad_input(
    command: str, sentence: str, prepare: Prepare | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if prepare is not None:
        prepare(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run(command.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(sentence, _one_sentence(captured.err), re.IGNORECASE), captured.err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_missing_tool_is_named_with_its_cure(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("MHO_CACHE", str(folder / "cache"))
    assert run([*RUN.split(), "--backend", "cosim"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(
        r"verilator was not found; install it with: apt-get install verilator", _one_sentence(captured.err)
    )
    assert not (folder / "out.npy").exists()
