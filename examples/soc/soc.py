"""A computer with a memory that computes: VexRiscv, memories, a console and a tile, in LiteX's simulation by Verilator.

Needs ``mho[litex]``, Verilator and a cross compiler; docs/howto/soc.md says how it is used and what it prints.
"""

import argparse
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import litex.soc
import numpy as np
from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.build.sim.config import SimConfig
from litex.gen import Finish, If, LiteXModule
from litex.soc.integration.builder import Builder
from litex.soc.integration.common import get_mem_data
from litex.soc.integration.soc_core import SoCCore
from litex.soc.interconnect.csr import CSRStorage
from migen.genlib.io import CRG

import mho.litex
from mho.figures.run import save_figure
from mho.macro_models.errors import InputError, ToolError
from mho.sim.export.c_text import array

HERE = Path(__file__).resolve().parent
CLOCK_HZ = 1_000_000
"""Of what the simulator believes; nothing depends on it."""
_STREAM = (("valid", 1), ("ready", 1), ("data", 8))
_IO = [
    ("sys_clk", 0, Pins(1)),
    ("serial", 0, *[Subsignal(f"{way}_{name}", Pins(n)) for way in ("source", "sink") for name, n in _STREAM]),
]


class End(LiteXModule):
    """Ends the simulation when the firmware writes to it: LiteX's own go on for ever."""

    def __init__(self) -> None:
        self.now = CSRStorage(1)
        self.sync += If(self.now.re, Finish())


class SoC(SoCCore):
    """VexRiscv, 64 KiB of ROM, 16 KiB of RAM, a console, a timer and a tile; models as at ``Peripheral.put_models``."""

    def __init__(
        self, folder: Path, net: mho.Net, models: dict[str, Any], rom: Sequence[int] = (), cfu: Path | None = None,
    ) -> None:
        platform = SimPlatform("SIM", _IO)
        super().__init__(
            platform, CLOCK_HZ, cpu_type="vexriscv", cpu_variant="full+cfu" if cfu else "full", cpu_cfu=cfu,
            uart_name="sim", ident="", ident_version=False,
            integrated_rom_size=0x10000, integrated_rom_init=list(rom), integrated_sram_size=0x4000)
        self.crg = CRG(platform.request("sys_clk"))
        self.end = End()
        self.tile = mho.litex.Peripheral(platform, net.chip, folder / "tile")
        self.bus.add_slave("tile", self.tile.bus, self.tile.region(0x8000_0000))
        self.irq.add("tile")
        self.tile.put_models(net, **models)


def write_data(
    folder: Path, net: mho.Net, images: np.ndarray, labels: np.ndarray, loads: Sequence[tuple[int, list[int]]] = (),
) -> None:
    """Write the network in C and ``data.h``.

    It has images (images, inputs) of whole numbers, the code of each, classes, and what an emulator of cells holds.
    """
    net.export(folder, name="network")
    pixels = np.repeat(np.arange(int(images.max()) + 1.0)[:, None], images.shape[1], axis=1)
    codes = net.network.program.input.compute(pixels.reshape(-1, *net.network.model.inputs[0][1]))
    sizes = {"IMAGES": len(images), "INPUTS": images.shape[1], "LANES": len(net.network.program.output.scale),
             "LOADS": len(loads)}
    lines = [f"#define DATA_{name} {size}u" for name, size in sizes.items()]
    for kind, name, rows in (("uint8_t", "images", images), ("int16_t", "codes", codes), ("uint8_t", "labels", labels)):
        lines.append(f"static const {kind} data_{name}[] = {{{', '.join(map(str, rows.ravel().tolist()))}}};")
    runs = [f"{{{at:#x}u, {len(words)}u}}" for at, words in loads]
    lines.append(array("mho_tiles_words_t", "data_loads", runs))
    lines.append(array("uint32_t", "data_load_words", (f"{word:#x}u" for _, words in loads for word in words)))
    (folder / "data.h").write_text("\n".join(lines) + "\n")


def made(folder: Path, board: str, **values: object) -> bytes:
    """Compile the firmware for a board, with values of its Makefile, in a folder with its data; its bytes."""
    command = ["make", "-C", str(HERE / "firmware"), f"OUT={folder}", f"BOARD={board}"]
    command += [f"{key}={value}" for key, value in values.items()]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise ToolError(f"the firmware must compile (Debian: gcc-riscv64-unknown-elf):\n{run.stderr}")
    return (folder / "firmware.bin").read_bytes()


def with_firmware(
    folder: Path, described: Callable[[Sequence[int]], SoCCore], main: str = "main", **options: object
) -> SoCCore:
    """Write a computer into ``folder``: as it is ``described`` for the contents of its ROM, a firmware from ``MAIN.c``.

    ``options`` are LiteX's. The firmware takes what :func:`write_data` wrote.
    """
    firmware = folder / "firmware"

    def written(rom: Sequence[int] = ()) -> SoCCore:
        soc = described(rom)
        Builder(soc, output_dir=str(folder), compile_software=False).build(run=False, **options)
        return soc

    regions, of = written().mem_regions, Path(litex.soc.__file__).parent
    shutil.copytree(folder / "tile" / "regs", firmware, dirs_exist_ok=True)
    includes = (folder / "software" / "include", of / "software" / "include", of / "cores" / "cpu" / "vexriscv")
    rom, ram = regions["rom"], regions["sram"]
    program = made(firmware, "litex", MAIN=main, FLASH=rom.origin, FLASH_SIZE=rom.size, RAM=ram.origin,
                   RAM_SIZE=ram.size, INCLUDES=" ".join(map(str, includes)))
    print(f"firmware: {len(program):,} bytes", flush=True)
    return written(get_mem_data(str(firmware / "firmware.bin"), data_width=32, endianness="little"))


def build(folder: Path, net: mho.Net, models: dict[str, Any], main: str = "main", cfu: Path | None = None) -> Path:
    """Build the simulation, with a firmware from ``MAIN.c`` and what :func:`write_data` wrote; where its program is."""
    config = SimConfig()
    config.add_clocker("sys_clk", freq_hz=CLOCK_HZ)
    config.add_module("serial2console", "serial")
    with_firmware(folder, lambda rom: SoC(folder, net, models, rom, cfu), main, sim_config=config)
    with (folder / "build.log").open("w") as log:
        if subprocess.run(["bash", "build_sim.sh"], cwd=folder / "gateware", stdout=log, stderr=log).returncode:
            raise ToolError(f"Verilator must build the simulation: {folder / 'build.log'} says why it does not")
    return folder / "gateware"


def simulate(folder: Path) -> str:
    """Run the simulation to its end; what came on the console, which is shown, too."""
    said = ""
    # A pipe that says nothing stands for the keyboard.
    pipe = subprocess.PIPE
    with subprocess.Popen(["obj_dir/Vsim"], cwd=folder, stdin=pipe, stdout=pipe, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            print(line, end="", flush=True)
            said += line
    if "\ndone\n" not in said:
        raise ToolError(f"the firmware must end with done, not with {said.rstrip()[-80:]!r}")
    return said


def outputs_of(said: str, net: mho.Net) -> np.ndarray:
    """What the model's outputs are, from the lanes that the firmware printed."""
    lanes = np.array([line.split() for line in re.findall(r"lanes ([-\d ]+)", said)], np.int16)
    return next(iter(net.network.model.finish_all(net.network.program.output.compute(lanes)).values()))


def main() -> None:
    """Build, run, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", help="compiled from half_digits.onnx for one tile; for one core with --extension")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/soc"))
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="which chip")
    parser.add_argument("--time", default="1d", help="since its cells were programmed")
    parser.add_argument("--extension", action="store_true", help="products by instructions beside products by the bus")
    parser.add_argument("--plot", type=Path, help="a figure of the cycles (.png, .svg, .pdf)")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    try:
        net, models, folder = mho.load(args.network), {"seed": args.seed, "time": args.time}, args.output.absolute()
        if args.extension:
            simulate(build(folder, net, models, "product", HERE / "cfu.v"))
            return
        with np.load(HERE / "half_digits.npz", allow_pickle=False) as data:
            x, labels = data["x"][: args.images], data["y"][: args.images]
        write_data(folder / "firmware", net, x.reshape(len(x), -1), labels)
        said = simulate(build(folder, net, models))
        outputs = outputs_of(said, net)
        if args.plot:
            from figure import plot_soc  # beside this script

            save_figure(plot_soc(said), args.plot)
        if not np.array_equal(outputs, net.run(x.astype(np.float32), **models).outputs):
            raise ToolError("the lanes of the tile must be those of the functional backend, bit for bit")
    except (InputError, ToolError) as error:
        sys.exit(f"error: {error}")
    print("equal to the functional backend, bit for bit")


if __name__ == "__main__":
    main()
