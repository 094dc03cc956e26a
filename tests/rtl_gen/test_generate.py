"""What `mho generate` writes: complete, the same every time, accepted by the tools that will read it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mho.hw.chip.tops import serial_line
from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError
from mho.rtl_gen import emit_core, generate
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.registers import tile_driver

ROOT = Path(__file__).parents[2]
WRAPS = ("none", "wishbone", "axil", "uart")
ANOTHER = r"name another folder \(-o, in Python output_dir\)"


def _generate(folder: Path, wrap: str = "wishbone", reset: str = "sync", **options: str):
    return generate(load_chip("tnsa16-core", {"verilog.reset": reset}), folder, wrap=wrap, **options)


def _texts(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


@pytest.mark.slow
def test_folder_is_complete(tmp_path: Path) -> None:
    report = _generate(tmp_path / "out")
    texts = _texts(tmp_path / "out")
    top = "mho_core_wb"
    assert report.top == top
    assert {"rtl/core_wb.v", "rtl/core.v", "rtl/macro_adapter.v", "stubs/tnsa_macro.v"} <= set(texts)
    assert json.loads(texts["librelane/config.json"])["DESIGN_NAME"] == top
    assert {f"{top}.{end}" for end in ("f", "core", "sdc", "vlt")} <= set(texts)
    assert {f"regs/{top}.{end}" for end in ("rdl", "md", "h")} <= set(texts)
    assert {"tb/Makefile", f"tb/bench_{top}.py", f"tb/test_{top}.py", "tb/tnsa_macro.v"} <= set(texts)
    assert any(re.fullmatch(r"rtl/mem_\w+\.v", path) for path in texts)
    assert texts[f"{top}.f"].split() == [f"rtl/{Path(line).name}" for line in texts[f"{top}.f"].split()]
    assert set(texts[f"{top}.f"].split()) == {path for path in texts if path.startswith("rtl/")}


@pytest.mark.slow
def test_page_of_the_folder_names_every_file_of_the_hierarchy(tmp_path: Path) -> None:
    _generate(tmp_path)
    texts = _texts(tmp_path)
    tree = texts["README.md"].split("```")[1]
    assert set(re.findall(r"rtl/\w+\.v", tree)) == {path for path in texts if path.startswith("rtl/")}
    assert "stubs/tnsa_macro.v" in tree
    # A page that its user wrote stays.
    (tmp_path / "README.md").write_text("mine")
    assert _generate(tmp_path).kept == ("README.md",)


@pytest.mark.slow
def test_every_module_says_what_it_is_and_its_ports_what_they_carry(tmp_path: Path) -> None:
    _generate(tmp_path)
    for path, text in _texts(tmp_path).items():
        if path.startswith("rtl/"):
            assert text.startswith("// "), path
            assert not re.search(r"\bw\d+\b|\bport_\d|begin\n *end", text), path
    text = (tmp_path / "rtl/sequencer.v").read_text()
    assert "  // Freezes the operation at the pins for this cycle.\n  input  wire hold" in text
    assert "Outputs: " in text.partition("module ")[0]


@pytest.mark.slow
@pytest.mark.parametrize("trim", [True, False])
def test_durations_are_named_parameters(trim: bool) -> None:
    chip = load_chip("tnsa16-core", {"core.trim": trim})
    texts = "\n".join(module_texts(chip, "wishbone").values())
    cfg = TnsaCoreConfig.from_chip(chip)
    cycles = {"precharge": cfg.reset_cycles} | {
        name: getattr(cfg, f"{name}_cycles") for name in ("plane", "sample", "compare", "decrement")
    }
    for name, value in cycles.items():
        word = f"{name.upper()}_CYCLES{'_AT_RESET' * trim}"
        assert re.search(rf"localparam \[\d+:0\] {word} = \d+'d{value};", texts), word
        assert re.search(rf"<= {word};", texts), word


@pytest.mark.slow
def test_report_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    report = _generate(tmp_path / "out", "axil")
    texts = _texts(tmp_path / "out")
    written = json.loads(texts.pop("report.json"))
    assert {f["path"]: f["sha256"] for f in written["files"]} == {
        path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()
    }
    assert [f.path for f in report.files] == sorted(texts)
    assert written["chip"]["sha256"] == load_chip("tnsa16-core").sha256
    assert written["options"] == {"part": "core", "wrap": "axil", "top": None, "prefix": "mho_"}
    assert written["statistics"]["flip_flops"] == report.statistics.flip_flops > 0
    assert not re.search(r"20\d\d-\d\d", json.dumps(written))


@pytest.mark.slow
@pytest.mark.cosim("yosys")
def test_flip_flops_are_those_of_yosys(tmp_path: Path) -> None:
    report = _generate(tmp_path / "out", "none")
    script = (
        f"read_verilog {tmp_path}/out/rtl/*.v {tmp_path}/out/stubs/*.v; hierarchy -top mho_core; proc; flatten; "
        "memory_collect; opt_clean; tee -o stat.json stat -json -width"
    )
    subprocess.run(["yosys", "-q", "-p", script], check=True, cwd=tmp_path)
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    flip_flops = ((re.fullmatch(r"\$(?:a|s)?dffe?_(\d+)", kind), number) for kind, number in cells.items())
    bits = sum(int(match[1]) * number for match, number in flip_flops if match)
    text = "\n".join((tmp_path / "out/rtl" / name).read_text() for name in ("mask_store.v", "mem_18x16.v"))
    # The output registers of the memories, of masks, faults and both parts of a result, count as parts of the memories.
    assert text.count("mho_mem_18x16 ") == 2
    assert bits == report.statistics.flip_flops + 2 * 16 + 2 * 18


@pytest.mark.slow
def test_every_module_is_there_once_with_the_prefix(tmp_path: Path) -> None:
    _generate(tmp_path / "out", prefix="ab_", top="chip_top")
    rtl = {path: text for path, text in _texts(tmp_path / "out").items() if path.startswith("rtl/")}
    modules = [name for text in rtl.values() for name in re.findall(r"^module (\w+)", text, re.MULTILINE)]
    assert len(modules) == len(set(modules)) == len(rtl)
    assert all(name.startswith("ab_") or name == "chip_top" for name in modules)
    used = set(re.findall(r"^  (\w+) \w+ \($", "\n".join(rtl.values()), re.MULTILINE))
    assert used - set(modules) == {"tnsa_macro"}
    # Only the adapter knows the macro.
    assert [path for path, text in rtl.items() if "tnsa_macro" in text] == ["rtl/macro_adapter.v"]


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["sync", "async_low"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_verilog_is_plain(wrap: str, reset: str, tmp_path: Path) -> None:
    _generate(tmp_path / "out", wrap, reset)
    text = "\n".join(text for path, text in _texts(tmp_path / "out").items() if path.startswith("rtl/"))
    assert not re.search(r"\\|\binitial\b|\(\*(?! no_rw_check \*\))|\bsrc\b|[Yy]osys|[Aa]maranth|__", text)
    assert not re.search(r"^\s*(reg|integer)\b[^;]*=", text, re.MULTILINE)
    assert ("rst_n" in text, "posedge rst" in text) == (reset == "async_low", False)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "yosys")
@pytest.mark.parametrize("reset", ["sync", "async_low"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_tools_accept_it_without_a_word(wrap: str, reset: str, tmp_path: Path) -> None:
    top = _generate(tmp_path, wrap, reset).top
    stub = "stubs/tnsa_macro.v"
    rtl = (tmp_path / f"{top}.f").read_text().split()
    lint = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", stub, "--top-module", top]
    script = f"read_verilog {' '.join(rtl)} {stub}; hierarchy -check -top {top}; proc; check -assert"
    for command in (lint, ["iverilog", "-g2005", "-Wall", "-o", "sim", *rtl, stub], ["yosys", "-q", "-p", script]):
        run = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert (run.returncode, run.stderr) == (0, ""), command[0]


@pytest.mark.cosim("verilator")
@pytest.mark.slow
def test_large_core_has_no_warning(tmp_path: Path) -> None:
    top = generate(load_chip("neurram-core"), tmp_path, wrap="axil").top
    command = ["verilator", "--lint-only", "-Wall", "--quiet", f"{top}.vlt", "-F", f"{top}.f", "stubs/tnsa_macro.v"]
    run = subprocess.run([*command, "--top-module", top], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")


def run_bench(folder: Path, command: list[str]) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COCOTB"))} | {"PATH": path}
    run = subprocess.run(command, cwd=folder / "tb", env=environment, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.parametrize(
    ("wrap", "reset"),
    [
        pytest.param("none", "async_low", marks=pytest.mark.slow),
        pytest.param("wishbone", "sync", marks=pytest.mark.slow),
        ("axil", "async_low"),
    ],
)
def test_first_test_passes(wrap: str, reset: str, tmp_path: Path) -> None:
    _generate(tmp_path, wrap, reset)
    assert "1 passed" in run_bench(tmp_path, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"])


@pytest.mark.slow
def test_first_test_of_slow_operations_asks_for_few_bits(tmp_path: Path) -> None:
    """A compare of 1 ms at 10 MHz: 128 of them would be 1.3 million cycles a product."""
    slow = load_chip("tnsa16-core", {"timing.t_compare_ns": 1e6, "clock.f_clk_MHz": 10})
    generate(slow, tmp_path / "out", wrap="none")
    text = (tmp_path / "out/tb/bench_mho_core.py").read_text()
    assert "\nIN_BITS, OUT_BITS = 4, 3\n" in text
    assert "\nLONGEST = 40015  # cycles" in text


@pytest.mark.cosim("iverilog", "cocotb", "make")
@pytest.mark.slow
def test_first_test_passes_by_make_around_the_users_top(tmp_path: Path) -> None:
    _generate(tmp_path)
    text = re.sub(r"`ifdef.*?`endif\n", "", (tmp_path / "rtl/core_wb.v").read_text(), flags=re.DOTALL)
    ports = re.search(r"module mho_core_wb \((.*?)\);", text, re.DOTALL)
    assert ports is not None
    names = re.findall(r"(\w+),?$", ports[1], re.MULTILINE)
    connections = ", ".join(f".{name}({name})" for name in names)
    header = ports[1].replace("output reg ", "output wire")
    (tmp_path / "mine.v").write_text(f"module mine ({header});\n  mho_core_wb inner ({connections});\nendmodule\n")
    printed = run_bench(tmp_path, ["make", "COCOTB_TOPLEVEL=mine", "USER_SOURCES=../mine.v"])
    assert "TESTS=3 PASS=3" in printed


@pytest.mark.cosim("verilator", "cocotb", "make")
@pytest.mark.long
def test_first_test_by_make_with_verilator_holds_the_contract_of_the_pins(tmp_path: Path) -> None:
    _generate(tmp_path)
    assert "PASS=3" in run_bench(tmp_path, [
        "make", "SIM=verilator", "OPT_FAST=-O0", "OPT_GLOBAL=-O0", "VM_PARALLEL_BUILDS=0",
    ])


@pytest.mark.cosim("verilator", "cocotb", "make")
@pytest.mark.long
def test_asynchronous_reset_reaches_flip_flops_behind_closed_clock_gates(tmp_path: Path) -> None:
    """Verilator has no unknowns: a reset that is active from its start on has no edge."""
    gated = {"verilog.reset": "async_low", "verilog.clock_gate": "module"}
    generate(load_chip("tnsa16-core", gated), tmp_path, wrap="wishbone")
    assert "PASS=3" in run_bench(tmp_path, ["make", "SIM=verilator"])


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "cocotb")
def test_first_test_notices_a_wrong_result(tmp_path: Path) -> None:
    _generate(tmp_path)
    model = tmp_path / "tb/tnsa_macro.v"
    model.write_text(model.read_text().replace("% 13", "% 12"))
    with pytest.raises(AssertionError, match="1 failed"):
        run_bench(tmp_path, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"])


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    code = "import sys; from mho.hw.config import load_chip; from mho.rtl_gen import generate; "
    code += "generate(load_chip('tnsa16-core'), sys.argv[1], wrap='axil')"
    outputs = []
    for seed in ("0", "99"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment, cwd=tmp_path)
        outputs.append(_texts(tmp_path / seed))
    assert outputs[0] == outputs[1]


@pytest.mark.slow
def test_generating_again_keeps_what_the_user_changed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _generate(out)
    bench, mine = out / "tb/bench_mho_core_wb.py", out / "tb/notes/mine.txt"
    bench.write_text("# mine\n")
    mine.parent.mkdir()
    mine.write_text("kept")
    (out / "rtl/core.v").write_text("damaged")
    report = _generate(out)
    assert report.kept == ("tb/bench_mho_core_wb.py", "tb/notes/mine.txt")
    assert (bench.read_text(), mine.read_text()) == ("# mine\n", "kept")
    assert report.replaced == (("rtl/core.v", "changed/rtl/core.v"),)
    assert "damaged" not in (out / "rtl/core.v").read_text()
    assert (out / "changed/rtl/core.v").read_text() == "damaged"
    # Another wrap leaves no file of the first one behind.
    _generate(out, "none")
    assert not (out / "rtl/core_wb.v").exists()
    assert bench.read_text() == "# mine\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("notes.txt", "", rf"holds files that mho generate did not write: {ANOTHER}$"),
        ("report.json", "{}", rf"holds files that mho generate did not write: {ANOTHER}$"),
        ("report.json", "[1", rf"holds files that mho generate did not write: {ANOTHER}$"),
    ],
)
def test_folder_of_somebody_else_is_left_alone(name: str, text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=sentence):
        _generate(tmp_path)
    assert _texts(tmp_path) == {name: text}


@pytest.mark.slow
def test_files_of_the_user_stay_and_ours_are_renewed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _generate(out)
    mine = {
        "librelane/tnsa_macro.gds": "layout", "librelane/tnsa_macro.lef": "abstract", "librelane/mine.json": "{}",
        "librelane/runs/one/final.def": "DESIGN", "signoff.sdc": "create_clock", "rtl/extra.v": "module x; endmodule",
    }
    for path, text in mine.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text)
    (out / "librelane/pdk").symlink_to(tmp_path)
    (out / "librelane/empty").mkdir()
    for wrap in ("axil", "wishbone"):
        report = _generate(out, wrap)
        assert set(report.kept) == {*mine, "librelane/pdk", "librelane/empty"}
        assert {path: (out / path).read_text() for path in mine} == mine
        assert (out / "librelane/pdk").readlink() == tmp_path
        written = {file["path"] for file in json.loads((out / "report.json").read_text())["files"]}
        files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
        # Nothing that is ours is left of the other bus.
        assert {path for path in files if not path.startswith("librelane/pdk/")} == {*written, *mine, "report.json"}
        assert "mine.json" not in (out / "report.json").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", ["rtl/core_axil.v", pytest.param("rtl/core_axil.v/inside", marks=pytest.mark.slow)]
)
def test_file_of_the_user_where_one_of_ours_belongs_is_left_alone(path: str, tmp_path: Path) -> None:
    _generate(tmp_path)
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_text("mine")
    before = _texts(tmp_path)
    with pytest.raises(InputError, match=rf"holds {path}, which mho generate did not write and would replace: move it"):
        _generate(tmp_path, "axil")
    assert _texts(tmp_path) == before


def test_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(InputError, match=r"out must be a folder, not a file or a link$"):
        _generate(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"wrap": "apb"}, "wrap must be one of none, wishbone, axil, uart, not 'apb'"),
        ({"prefix": "1x"}, "prefix must be a Verilog identifier without double underscores, not '1x'"),
        ({"prefix": "a__"}, "prefix must be a Verilog identifier without double underscores, not 'a__'"),
        ({"top": "reg"}, "top must be a Verilog identifier, no keyword and without double underscores, not 'reg'"),
        ({"top": "a b"}, "top must be a Verilog identifier, no keyword and without double underscores, not 'a b'"),
        ({"top": "mho_core"}, "top must not be the name of an inner module, not 'mho_core'"),
        ({"top": "core"}, "top must not be the name of an inner module or of its file, not 'core'"),
        ({"top": "t" * 300}, "top must have at most 100 characters, not 300"),
        ({"prefix": "p" * 300}, "prefix must have at most 100 characters, not 300"),
        ({"top": "tnsa_macro", "prefix": "x_"}, None),
    ],
)
def test_bad_option_is_refused(options: dict[str, str], sentence: str | None, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$" if sentence else "^top must not be"):
        _generate(tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_several_cores_are_refused(tmp_path: Path) -> None:
    chip = load_chip("tnsa16-core", {"mesh.columns": 2})
    with pytest.raises(InputError, match=r"^tnsa16-core: mesh must have 1 column and 1 row for a core, not 2 x 1$"):
        generate(chip, tmp_path / "out", part="core")


@pytest.mark.slow
def test_rows_that_no_tile_can_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^liu-2020: core\.rows must be at most 256 in a tile, .*, not 784; one core"):
        generate(load_chip("liu-2020"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    alone = load_chip("liu-2020", {"mesh.columns": 1})
    assert generate(alone, tmp_path / "core").part == "core"


def test_emit_core_writes_the_verilog_alone(tmp_path: Path) -> None:
    files = emit_core(load_chip("tnsa16-core"), tmp_path / "rtl")
    assert files[0].name == "core.v"
    assert sorted(files) == sorted((tmp_path / "rtl").iterdir())
    assert "module mho_core (" in files[0].read_text()


KILLED = """
import os, pathlib, sys
from mho.hw.chip.tops import serial_line
from mho.hw.config import load_chip
from mho.rtl_gen import generate

def rename(*_):
    os.kill(os.getpid(), 9)

pathlib.Path.rename = rename
generate(load_chip("tnsa16-core"), sys.argv[1])
"""


@pytest.mark.slow
def test_what_a_killed_process_left_is_swept_but_not_what_there_was(tmp_path: Path) -> None:
    def killed() -> list[Path]:
        assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "out")]).returncode == -9
        return list(tmp_path.glob(".*"))

    assert len(killed()) == 1
    generate(load_chip("tnsa16-core"), tmp_path / "out")
    assert not list(tmp_path.glob(".*"))
    # Killed from here on, a process may have what there was in its folder.
    (left,) = killed()
    generate(load_chip("tnsa16-core"), tmp_path / "out")
    assert list(tmp_path.glob(".*")) == [left]


@pytest.mark.slow
def test_a_serial_line_has_the_fastest_rate_that_the_clock_has(tmp_path: Path) -> None:
    for mhz, baud in ((100, 1_000_000), (4, 115_200), (0.1, 9_600)):
        assert serial_line(load_chip("tnsa16-core", {"clock.f_clk_MHz": mhz})).baud == baud
    with pytest.raises(InputError, match=r"clock.f_clk_MHz must be at least 0.0768 behind a serial line, not 0.05$"):
        serial_line(load_chip("tnsa16-core", {"clock.f_clk_MHz": 0.05}))
    report = generate(load_chip("tnsa64-tile"), tmp_path / "out", wrap="uart")
    texts = _texts(tmp_path / "out")
    assert report.top == "mho_chip_uart"
    ports = re.findall(r"^  (?:input|output) +wire (\w+)", texts["rtl/chip_uart.v"], re.MULTILINE)
    assert ports[2:5] == ["rx", "tx", "irq"]
    assert texts["regs/mho_tiles.h"] == tile_driver()
