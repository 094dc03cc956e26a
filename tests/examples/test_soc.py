"""A tile beside a processor: the smallest computer in Verilator, with noisy cells, runs the firmware of the example."""

import importlib.util
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mho
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.macro_models.integer.operation import Masks
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.embedded import FLAGS, MODULE, Behind, pulse_array
from mho.sim.executor import build_cores
from mho.sim.export import list_network
from mho.sim.programming.write_verify import ProgramRun, reference_run, target_codes
from tests.compiler.importer.onnx_models import build, node

SOC = Path(__file__).parents[2] / "examples" / "soc"
MAIN = """\
#include "Vtop.h"
int main(int argc, char **argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  Vtop top{&context};
  for (long half = 0; half < 20000000 && !context.gotFinish(); half++) {
    top.rst = half < 20;
    top.clk = half & 1;
    top.eval();
  }
}
"""
SEED, TIME_S, CELLS, ERASED, MOST_BYTES = 2, 86400.0, 100, 20, 32 * 1024


@pytest.fixture(scope="module")
def soc() -> ModuleType:
    """The example."""
    pytest.importorskip("litex", reason="litex is not installed (mho[litex])")
    spec = importlib.util.spec_from_file_location("soc", SOC / "soc.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        # Where pip or uv left LiteX uncompiled, Python complains of escapes in descriptions of its processors.
        for category in (DeprecationWarning, SyntaxWarning):
            warnings.simplefilter("ignore", category)
        spec.loader.exec_module(module)
    return module


def images(count: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, 9, size=(count, *shape)).astype(np.uint8)


def compiled(nodes: list[Any], sizes: dict[str, tuple[int, ...]], shape: tuple[int, ...], classes: int) -> mho.Net:
    """For a tile of 16 lines, of images with a shape; with random weights."""
    rng = np.random.default_rng(3)
    weights = {name: (rng.normal(size=size) / np.sqrt(size[-1])).astype("f4") for name, size in sizes.items()}
    weights |= {"axis": np.array([0])} if any("axis" in node.input for node in nodes) else {}
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", classes))
    chip = mho.Chip.load("tnsa64-tile", **{"core.corelet": 4})
    return mho.compile(model.SerializeToString(), chip, calibrate=images(32, *shape).astype(np.float32))


@pytest.fixture(scope="module")
def net() -> mho.Net:
    """Two layers, whose word lines are not all on."""
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "s", transB=1),
             node("Softmax", "s", "y", axis=-1)]
    return compiled(nodes, {"a": (6, 8), "w": (5, 6)}, (8,), 5)


def recurrent() -> mho.Net:
    """An LSTM, whose gates the tile computes by its tables."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r", "all h", hidden_size=3),
             node("Squeeze", "h axis", "q"), node("Gemm", "q f", "s", transB=1), node("Softmax", "s", "y", axis=-1)]
    return compiled(nodes, {"w": (1, 12, 3), "r": (1, 12, 3), "f": (2, 3)}, (3, 3), 2)


def gated() -> mho.Net:
    """Gates and a softmax between two layers, which the host computes."""
    nodes = [node("Gemm", "x a", "c", transB=1), node("Sigmoid", "c", "i"), node("Tanh", "c", "j"),
             node("Mul", "i j", "g"), node("Softmax", "g", "p", axis=-1), node("Gemm", "p w", "s", transB=1),
             node("Softmax", "s", "y", axis=-1)]
    return compiled(nodes, {"a": (8, 8), "w": (5, 8)}, (8,), 5)


def verilated(folder: Path, net: mho.Net, cpu: str) -> Path:
    """The computer with the models of the network's cells behind the pins, without LiteX."""
    net.save(folder / "net.mho")
    top = net.chip.generate(folder / "tile", wrap="wishbone").top
    sources = [folder / "tile" / line for line in (folder / "tile" / f"{top}.f").read_text().split()]
    behind = Behind(network=str(folder / "net.mho"), seed=SEED, time_s=TIME_S)
    sources += behind.sources(net.network.chip, folder)
    (folder / "main.cpp").write_text(MAIN)
    command = [
        "verilator", "--cc", "--exe", "--build", "-O3", "-Wno-fatal", "--top-module", "picorv32_soc",
        "--prefix", "Vtop", f"+define+MHO_MODELS={MODULE}", "-CFLAGS", f"-O1 {FLAGS['CFLAGS']}", "-LDFLAGS",
        FLAGS["LDFLAGS"], "-Mdir", str(folder / "objects"), cpu, str(SOC / "picorv32.v"), *map(str, sources),
        str(folder / "main.cpp"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "objects" / "Vtop"


def ran(soc: Any, net: mho.Net, folder: Path, simulator: Path) -> str:
    """Run the firmware with a network, whose outputs must be those of functional; what it printed."""
    net.save(folder / "net.mho")
    firmware, x = folder / "firmware", images(4, *net.network.model.inputs[0][1])
    soc.write_data(firmware, net, x.reshape(4, -1), np.zeros(4, np.uint8))
    shutil.copytree(folder / "tile" / "regs", firmware, dirs_exist_ok=True)
    program = soc.made(firmware, "picorv32")
    words = np.frombuffer(program + bytes(-len(program) % 4), "<u4")
    (folder / "memory.hex").write_text("".join(f"{word:08x}\n" for word in words))
    command = [simulator, f"+firmware={folder / 'memory.hex'}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stderr) == (0, "")
    noisy, changed = (net.run(x.astype(np.float32), seed=seed, time=TIME_S).outputs for seed in (SEED, SEED + 1))
    assert not np.array_equal(noisy, changed)
    np.testing.assert_array_equal(soc.outputs_of(run.stdout, net), noisy)
    return run.stdout


def reference(net: mho.Net) -> tuple[NDArray[np.intp], ProgramRun]:
    """Which cells the firmware programs, and what numpy makes of them in one pass."""
    network, chip = net.network, net.network.chip
    (model,) = build_cores(network, seed=SEED, time_s=TIME_S)
    places = np.arange(CELLS) * (model.cells.size // CELLS)
    targets = target_codes(chip, network.cores[0].targets_uS)
    targets.ravel()[places[1::2]] = ERASED
    skip = np.ones(model.cells.shape, np.bool_)
    skip.ravel()[places] = False
    parameters = replace(WriteVerifyParameters.from_chip(chip), passes=1)
    return places, reference_run(chip, pulse_array(chip, model), targets, skip, parameters)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "riscv64-unknown-elf-gcc")
def test_firmware_gets_from_noisy_cells_what_functional_gets_and_programs_them(
    soc: Any, net: mho.Net, tmp_path: Path
) -> None:
    """Nothing but the network file and the memory differs between networks for one chip."""
    cpu = pytest.importorskip("pythondata_cpu_picorv32", reason="pythondata-cpu-picorv32 is not installed")
    lstm, between = recurrent(), gated()
    assert any("in C" in step for step in list_network(between.network).host_steps)
    simulator = verilated(tmp_path, net, f"{cpu.data_location}/picorv32.v")
    for network in (lstm, between):
        ran(soc, network, tmp_path, simulator)
    said = ran(soc, net, tmp_path, simulator)
    assert (tmp_path / "firmware" / "firmware.bin").stat().st_size < MOST_BYTES
    places, programmed = reference(net)
    printed = re.search(r"codes([\d !]+)", said)
    assert printed is not None
    codes, faults = programmed.codes[0].ravel()[places], programmed.faults[0].ravel()[places]
    assert printed[1].split() == [f"{code}{'!' * int(fault)}" for code, fault in zip(codes, faults, strict=True)]
    counted = "{sets} SET and {resets} RESET pulses, {reads} reads, {faults} in the fault map"
    assert counted.format(**programmed.counters) in said


def test_a_figure_shows_the_cycles_that_were_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SOC)
    from figure import plot_soc

    phases = "cycles of an image: encode 6, run 64, softmax 581"
    said = f"{phases}\nof the run: bus 2, processor beside it 62; meanwhile array 11"
    computer, whole, run = plot_soc(said).axes
    assert {"Wishbone: 2 cycles", "busy for 11 cycles"} <= {text.get_text() for text in computer.texts}
    assert [text.get_text().strip() for text in whole.texts] == ["581", "64", "6"]
    assert [text.get_text().strip() for text in run.texts] == ["11", "64"]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make", "riscv64-unknown-elf-gcc")
def test_computers_of_litex_run_a_tile_and_an_extension(soc: Any, tmp_path: Path) -> None:
    """The commands of the page; results by instructions are those by the bus, with a third of what C adds."""
    pytest.importorskip("pythondata_misc_tapcfg", reason="pythondata-misc-tapcfg is not installed")
    with np.load(SOC / "half_digits.npz") as data:
        calibrate = data["calibrate"].astype(np.float32)
    keys = {"core.trim": False, "programming.engine": False}
    for name, chip, options in (("tile", mho.Chip.load("tnsa64-tile"), ["--images", "3", "--plot", "soc.png"]),
                                ("core", mho.Chip.load("tnsa64-core", **keys), ["--extension"])):
        mho.compile(SOC / "half_digits.onnx", chip, calibrate=calibrate).save(tmp_path / f"{name}.mho")
        command = [sys.executable, SOC / "soc.py", f"{name}.mho", "-o", name, *options]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
        assert run.returncode == 0, run.stderr
        if name == "tile":
            assert "equal to the functional backend, bit for bit" in run.stdout
            assert (tmp_path / "soc.png").stat().st_size > 10_000
            continue
        cycles = re.findall(r"bus (\d+), instructions (\d+), array (\d+); failed 0, 0 differ", run.stdout)
        bus, extension, array = map(int, cycles[2])
        assert bus - array > 3 * (extension - array)
        (model,) = build_cores(mho.load(tmp_path / "core.mho").network, seed=0, time_s=TIME_S)
        op = TnsaOperation(step_code=300)
        codes = model.mvm(op, Masks.reset(64), (np.arange(32) * 5 % 15 - 7)[None], np.uint64(1)).codes[0]
        said = re.search(r"results([-\d ]+)", run.stdout)
        assert said is not None
        assert said[1].split() == [str(value) for value in codes.tolist()]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.cosim("yosys", "nextpnr-ecp5", "ecppack", "verilator", "g++", "make", "riscv64-unknown-elf-gcc")
def test_the_netlist_on_an_fpga_tells_the_classes_of_functional(soc: Any, tmp_path: Path) -> None:
    with np.load(SOC / "half_digits.npz") as data:
        calibrate = data["calibrate"].astype(np.float32)
    mho.compile(SOC / "half_digits.onnx", "tnsa64-tile", calibrate=calibrate).save(tmp_path / "tile.mho")
    command = [sys.executable, SOC / "ulx3s.py", "tile.mho", "-o", "ulx3s", "--images", "1", "--simulate"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3000)
    assert run.returncode == 0, run.stderr
    assert "equal to the functional backend, bit for bit" in run.stdout
    assert "image 0: class 6" in run.stdout


@pytest.mark.slow
def test_a_peripheral_has_registers_an_interrupt_and_a_region(soc: Any, net: mho.Net, tmp_path: Path) -> None:
    """LiteX writes its Verilog and headers; nothing is simulated."""
    from litex.soc.integration.builder import Builder

    computer = soc.SoC(tmp_path, net, {"seed": SEED})
    Builder(computer, output_dir=str(tmp_path), compile_software=False, compile_gateware=False).build(run=False)
    header = (tmp_path / "software" / "include" / "generated" / "csr.h").read_text()
    for name in ("tile_programming_enable_write", "tile_bus_cycles_read", "tile_ev_status_read"):
        assert name in header
    assert "#define TILE_INTERRUPT" in (tmp_path / "software" / "include" / "generated" / "soc.h").read_text()
    region = computer.bus.regions["tile"]
    assert (region.origin, region.size, region.cached) == (0x8000_0000, 1 << 23, False)
    verilog = (tmp_path / "gateware" / "sim.v").read_text()
    assert f"{MODULE} {MODULE}" in verilog
    assert ".wb_adr_i" in verilog


@pytest.mark.slow
def test_cells_in_block_ram_are_behind_the_same_registers(soc: Any, net: mho.Net, tmp_path: Path) -> None:
    """Noise that is drawn at each conversion is refused; cells and tables are within the region."""
    from litex.build.sim import SimPlatform

    import mho.litex

    platform = SimPlatform("SIM", [])
    tile = mho.litex.EmulatedPeripheral(platform, net.chip, tmp_path / "tile")
    plain = mho.litex.Peripheral(SimPlatform("SIM", []), net.chip, tmp_path / "plain")
    assert (tile.top, tile.size) == (plain.top, plain.size)
    texts = [path for path, *_ in platform.sources if "/emulated/" in path]
    assert len(texts) == len(platform.sources)
    assert not any("tnsa_macro" in Path(path).read_text() for path in texts)
    still = ["read-noise"]
    loads = tile.loads(net, seed=SEED, without=still)
    assert all(0 <= at < at + 4 * len(words) <= tile.size for at, words in loads)
    assert loads != tile.loads(net, seed=SEED + 1, without=still)
    with pytest.raises(mho.InputError, match="read-noise"):
        tile.loads(net)


def test_a_peripheral_refuses_a_network_of_another_chip_and_pins_that_are_not_there(
    soc: Any, net: mho.Net, tmp_path: Path
) -> None:
    from litex.build.sim import SimPlatform

    import mho.litex

    platform = SimPlatform("SIM", [])
    core = mho.litex.Peripheral(platform, "tnsa16-core", tmp_path / "core")
    with pytest.raises(mho.InputError, match="network must be compiled for tnsa16-core"):
        core.put_models(net)
    with pytest.raises(mho.InputError, match="pins: scan must be a port of mho_core_wb: clk, rst, wb_cyc_i"):
        mho.litex.Peripheral(platform, "tnsa16-core", tmp_path / "core", pins={"scan": 1})
