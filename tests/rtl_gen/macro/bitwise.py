"""An adapter and a module with the user's ports, each bit of either driven and looked at: in RTL or after synthesis."""

import random
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.rtl_gen import check_macro_pins
from mho.rtl_gen.macro.adapter import write_adapter, write_stub
from mho.rtl_gen.macro.contract import contract_signals
from mho.rtl_gen.macro.pin_check import macro_map

Values = Mapping[str, int]


@dataclass
class Case:
    """Ports of a macro, the tables of a description, and what each bit has to be, said without the code under test.

    ``inputs`` gives the value of a pin's bit from those of the contract's signals; ``outputs`` the bit of a signal from
    those of the pins' bits.
    """

    ports: list[tuple[str, str, tuple[int, int] | None]] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    others: str = ""
    inputs: dict[tuple[str, int | None], Callable[[Values], int]] = field(default_factory=dict)
    outputs: dict[tuple[str, int], Callable[[Mapping[tuple[str, int | None], int]], int]] = field(default_factory=dict)

    def numbers(self, name: str) -> list[int | None]:
        """Numbers of a port's bits; None for a port without a range."""
        limits = next(limits for port, _, limits in self.ports if port == name)
        return [None] if limits is None else list(range(min(limits), max(limits) + 1))

    def model(self, body: str = "") -> str:
        """A module with the ports; its outputs are set by the bench."""
        def text(name: str, way: str, limits: tuple[int, int] | None) -> str:
            kind = "reg" if way == "output" else "wire"
            return f"  {way} {kind} {'' if limits is None else f'[{limits[0]}:{limits[1]}] '}{name}"

        listed = ",\n".join(text(*port) for port in self.ports)
        return f"module USER (\n{listed}\n);\n{body}endmodule\n"


def write_case(case: Case, folder: Path) -> dict[str, str]:
    """Adapter, black box and contract of a case; its description must have no problem."""
    folder.mkdir(exist_ok=True)
    (folder / "user.v").write_text(case.model())
    (folder / "chip.toml").write_text(
        'schema = 1\nextends = "tnsa16-core"\n[macro]\nmodule = "USER"\nfiles = ["user.v"]\n[macro.pins]\n'
        + "\n".join(case.pins) + "\n" + case.others
    )
    chip = load_chip(folder / "chip.toml")
    assert check_macro_pins(chip) == []
    ports = macro_map(chip)
    texts = {
        "adapter.v": write_adapter(chip.macro, MacroPins.from_chip(chip), ports, name="adapter"),
        "stub.v": write_stub(chip, ports),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return texts


def signals() -> dict[str, tuple[int, bool]]:
    """The contract of the chip of all cases."""
    return contract_signals(MacroPins.from_chip(load_chip("tnsa16-core")))


def write_bench(case: Case, folder: Path, seed: int, vectors: int = 8) -> None:
    """A bench that ends with the word equal if every bit is what the case says."""
    rng, contract = random.Random(seed), signals()
    lines = ["`timescale 1ns/1ns", "module bench;"]
    for name, (width, driven) in contract.items():
        lines.append(f"  {'wire' if driven else 'reg'} [{width - 1}:0] {name};")
    connected = ", ".join(f".{name}({name})" for name in contract)
    lines += [f"  adapter dut ({connected});", "  integer wrong;", "  initial begin", "    wrong = 0;"]
    outputs = [name for name, way, _ in case.ports if way == "output"]
    for vector in range(vectors):
        values: dict[str, int] = {}
        for name, (width, driven) in contract.items():
            if not driven:
                # Lines of programming are selected one at a time, now and then none or several.
                one_hot = name.startswith("write_") and width == 16 and vector % 4
                values[name] = 1 << rng.randrange(width) if one_hot else rng.getrandbits(width) * (vector != 4)
                lines.append(f"    {name} = {width}'h{values[name]:x};")
        bits = {(name, k): rng.getrandbits(1) for name in outputs for k in case.numbers(name)}
        lines += [f"    dut.macro.{_bit(*bit)} = 1'b{value};" for bit, value in bits.items()]
        lines.append("    #1;")
        checks = {f"dut.macro.{_bit(*bit)}": value(values) for bit, value in case.inputs.items()}
        checks |= {f"{name}[{k}]": value(bits) for (name, k), value in case.outputs.items()}
        lines += [
            f'    if ({place} !== 1\'b{value}) begin $display("{vector} {place}"); wrong = wrong + 1; end'
            for place, value in checks.items()
        ]
    lines += ['    if (wrong == 0) $display("equal");', "    $finish(0);", "  end", "endmodule", ""]
    (folder / "bench.v").write_text("\n".join(lines))


def _bit(name: str, number: int | None) -> str:
    return name if number is None else f"{name}[{number}]"


def run_icarus(folder: Path, sources: Sequence[str] = ("adapter.v", "user.v", "bench.v")) -> str:
    """What the bench prints in Icarus."""
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", *sources], check=True, cwd=folder)
    return subprocess.run(["vvp", "-n", "bench.vvp"], check=True, cwd=folder, capture_output=True, text=True).stdout


def run_verilator(folder: Path) -> str:
    """What the bench prints in Verilator."""
    command = ["verilator", "--binary", "-Wno-fatal", "-Wno-lint", "-Wno-style", "--top-module", "bench", "-O0",
               "-CFLAGS", "-O0", "-MAKEFLAGS", "VM_PARALLEL_BUILDS=0", "--Mdir", "objects", "adapter.v",
               "user.v", "bench.v"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return subprocess.run(["objects/Vbench"], check=True, cwd=folder, capture_output=True, text=True).stdout


def run_netlist(folder: Path) -> str:
    """What the bench prints in Icarus with the adapter as gates, synthesised against the black box."""
    script = "read_verilog adapter.v stub.v; hierarchy -check -top adapter; synth -noabc -top adapter; "
    script += "delete =*/t:$scopeinfo; write_verilog -noattr -noexpr gates.v"
    run = subprocess.run(["yosys", "-q", "-p", script], cwd=folder, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    cells = Path(shutil.which("yosys") or "").parent.parent / "share/yosys/simcells.v"
    return run_icarus(folder, ("gates.v", str(cells), "user.v", "bench.v"))
