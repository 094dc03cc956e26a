"""The computer of soc.py on a ULX3S with an ECP5-85F, the cells of its tile in block RAM: a bitstream, its evidence.

Needs what soc.py does (Verilator only for --simulate), Yosys, nextpnr-ecp5 and fpga-trellis; see docs/howto/soc.md.
"""

import argparse
import logging
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import soc
from litex.build.generic_platform import IOStandard, Pins, Subsignal
from litex.build.lattice import LatticeECP5Platform
from litex.soc.integration.soc_core import SoCCore
from migen.genlib.io import CRG

import mho.litex
from mho.fpga.evidence.verify import netlist_program
from mho.fpga.link.simulated import PinsTransport
from mho.hw.host.link.uart import UartConfig
from mho.macro_models.errors import InputError, ToolError

CLOCK_HZ, BAUD = 25_000_000, 1_000_000
PATIENCE_S = 0.1
"""Of the simulation, in which the console must say something."""
_LEVEL = IOStandard("LVCMOS33")
_IO = [
    ("clk25", 0, Pins("G2"), _LEVEL), ("wifi_gpio0", 0, Pins("L2"), _LEVEL),
    ("serial", 0, Subsignal("tx", Pins("L4")), Subsignal("rx", Pins("M1")), _LEVEL),
]


class SoC(SoCCore):
    """VexRiscv, 64 KiB of ROM, 16 KiB of RAM, the board's serial line, a timer and a tile of emulated cells."""

    def __init__(self, folder: Path, net: mho.Net, rom: Sequence[int] = ()) -> None:
        platform = LatticeECP5Platform("LFE5U-85F-6BG381C", _IO, toolchain="trellis")
        super().__init__(
            platform, CLOCK_HZ, cpu_type="vexriscv", cpu_variant="full", uart_baudrate=BAUD, ident="",
            ident_version=False, integrated_rom_size=0x10000, integrated_rom_init=list(rom),
            integrated_sram_size=0x4000)
        clock = platform.request("clk25")
        self.crg = CRG(clock)
        platform.add_period_constraint(clock, 1e9 / CLOCK_HZ)
        # At 0 the board's ESP32 would take over.
        self.comb += platform.request("wifi_gpio0").eq(1)
        self.tile = mho.litex.EmulatedPeripheral(platform, net.chip, folder / "tile")
        self.bus.add_slave("tile", self.tile.bus, self.tile.region(0x8000_0000))
        self.irq.add("tile")


def run(folder: Path, *command: str) -> None:
    """Run a tool in the folder of the Verilog."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as said:
        if subprocess.run(command, cwd=folder, stdout=said, stderr=said).returncode:
            raise ToolError(f"{command[0]} must not fail: {log} says why it does")


def console(folder: Path, images: int) -> str:
    """What the netlist says at its serial pin from reset on, until it has told the classes of ``images`` images."""
    run(folder, "yosys", "-q", "-p", "read_json top.json; write_verilog -noattr -norename netlist.v")
    said = ""
    program = netlist_program((folder / "netlist.v").read_text(), "ecp5")
    with closing(PinsTransport(program, UartConfig(clock_hz=CLOCK_HZ, baud=BAUD))) as line:
        while said.count("lanes") < images or not said.endswith("\n"):
            heard = line.read(PATIENCE_S).decode(errors="replace")
            print(heard, end="", flush=True)
            if not heard:
                raise ToolError(f"the netlist must tell {images} classes, not {said[-80:]!r}")
            said += heard
        print(f"{line.now() * 1e3:.1f} ms of the board")
    return said


def main() -> None:
    """Build, simulate, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", help="compiled from half_digits.onnx for one tile")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/ulx3s"))
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="which chip")
    parser.add_argument("--time", default="1d", help="since its cells were programmed")
    parser.add_argument("--simulate", action="store_true", help="the netlist, from reset to the last class")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    try:
        net, folder = mho.load(args.network), args.output.absolute()
        chosen: dict[str, Any] = {"seed": args.seed, "time": args.time, "without": ["read-noise"]}
        with np.load(soc.HERE / "half_digits.npz", allow_pickle=False) as data:
            x, labels = data["x"][: args.images], data["y"][: args.images]
        loads = SoC(folder, net).tile.loads(net, **chosen)
        soc.write_data(folder / "firmware", net, x.reshape(len(x), -1), labels, loads)
        soc.with_firmware(folder, lambda rom: SoC(folder, net, rom), build_name="top", timingstrict=True)
        run(folder / "gateware", "bash", "build_top.sh")
        print(f"wrote {folder / 'gateware' / 'top.bit'}", flush=True)
        if args.simulate:
            outputs = soc.outputs_of(console(folder / "gateware", len(x)), net)
            if not np.array_equal(outputs, net.run(x.astype(np.float32), **chosen).outputs):
                raise ToolError("the lanes of the tile must be those of the functional backend, bit for bit")
            print("equal to the functional backend, bit for bit")
    except (InputError, ToolError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
