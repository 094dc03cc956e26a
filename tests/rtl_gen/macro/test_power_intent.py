"""``TOP.upf`` as Tcl reads it: commands of IEEE 1801, and nothing in them that the Verilog does not have."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen import generate

ROOT = Path(__file__).parents[3]

# One command with its arguments a line; an option that a command does not have, or without its value, ends the reading.
READER = r"""
set commands {
  upf_version {} set_design_top {} create_power_domain {-include_scope 0 -elements 1}
  create_supply_port {-domain 1} create_supply_net {-domain 1 -reuse 0} connect_supply_net {-ports 1}
  set_domain_supply_net {-primary_power_net 1 -primary_ground_net 1} create_supply_set {-function 1}
  add_power_state {-state 1}
  create_power_switch {-domain 1 -input_supply_port 1 -output_supply_port 1 -control_port 1 -on_state 1 -off_state 1}
  set_isolation {-domain 1 -applies_to 1 -clamp_value 1 -isolation_signal 1 -isolation_sense 1 -location 1}
}
proc read_command {name options arguments} {
  set shown [list $name [lindex $arguments 0]]
  for {set k 1} {$k < [llength $arguments]} {incr k} {
    set option [lindex $arguments $k]
    if {![dict exists $options $option]} { error "$name has no $option" }
    if {[dict get $options $option]} {
      if {[incr k] >= [llength $arguments]} { error "$name $option lacks its value" }
      lappend shown $option [lindex $arguments $k]
    }
  }
  puts [join $shown \t]
}
foreach {name options} $commands { proc $name args "read_command $name [list $options] \$args" }
source [lindex $argv 0]
"""


def read(path: Path) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Commands: name, what it is about, options with their values."""
    script = path.parent / "reader.tcl"
    script.write_text(READER)
    run = subprocess.run(["tclsh", str(script), str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    commands = []
    for line in run.stdout.splitlines():
        name, about, *rest = line.split("\t")
        commands.append((name, about, list(zip(rest[::2], rest[1::2], strict=True))))
    return commands


class Scope:
    """Modules of the Verilog: instances within each, and names of its ports."""

    def __init__(self, folder: Path) -> None:
        files = [*folder.glob("rtl/**/*.v"), *folder.glob("stubs/*.v")]
        texts = "\n".join(path.read_text() for path in files)
        bodies = dict(re.findall(r"^module (\w+)(.*?)^endmodule", texts, re.MULTILINE | re.DOTALL))
        self.ports = {name: set(re.findall(r"\b(?:input|output|inout)\b[^,;)]*?(\w+)\s*(?=[,\n);])", body))
                      for name, body in bodies.items()}
        self.inside = {name: {inner: kind for kind, inner in re.findall(r"^\s+(\w+) (\w+) \(\s*$", body, re.MULTILINE)
                              if kind in bodies} for name, body in bodies.items()}

    def module(self, top: str, path: str) -> str:
        """Module of an instance, or a KeyError."""
        for step in path.split("/") if path else ():
            top = self.inside[top][step]
        return top

    def pin(self, top: str, path: str) -> bool:
        """Whether an instance has this pin."""
        instance, _, name = path.rpartition("/")
        return name in self.ports[self.module(top, instance)]


def check(commands: list[tuple[str, str, list[tuple[str, str]]]], scope: Scope) -> set[str]:
    """Each thing is made before it is used, and instances and pins are those of the Verilog; pins with a supply."""
    top = next(about for name, about, _ in commands if name == "set_design_top")
    domains, nets, sets, states, supplied = set[str](), set[tuple[str, str]](), set[str](), set[str](), set[str]()
    for name, about, options in commands:
        arguments = dict(options)
        for domain in (value for option, value in options if option == "-domain"):
            assert domain in domains, (name, domain)
        if name == "create_power_domain":
            domains.add(about)
            for element in arguments.get("-elements", "").split():
                scope.module(top, element)
        elif name in ("create_supply_net", "create_supply_port"):
            nets.add((arguments["-domain"], about))
        elif name == "connect_supply_net":
            assert about in {net for _, net in nets}
            assert scope.pin(top, arguments["-ports"]), arguments
            supplied.add(arguments["-ports"])
        elif name == "set_domain_supply_net":
            assert about in domains
            assert {(about, net) for net in arguments.values()} <= nets
        elif name == "create_supply_set":
            sets.add(about)
            assert {value.split()[1] for _, value in options} <= {net for _, net in nets}
        elif name == "add_power_state":
            assert about in sets | domains
            state, kind, expression = re.match(r"(\w+) -(\w+) \{(.*)\}$", arguments["-state"]).groups()  # pyright: ignore
            assert kind == ("supply_expr" if about in sets else "logic_expr")
            if about in domains:
                assert {f"{supply} {value}" for supply, value in re.findall(r"(\w+) == (\w+)", expression)} <= states
            states.add(f"{about} {state}")
        elif name == "create_power_switch":
            for option in ("-input_supply_port", "-output_supply_port"):
                assert arguments[option].split()[1] in {net for _, net in nets}
            assert scope.pin(top, arguments["-control_port"].split()[1])
        elif name == "set_isolation":
            assert scope.pin(top, arguments["-isolation_signal"])
    return supplied


@pytest.mark.slow
@pytest.mark.cosim("tclsh")
@pytest.mark.parametrize("source", ["preset", "foundry", "domains"])
def test_power_intent_of_a_core_is_that_of_its_verilog(source: str, tmp_path: Path) -> None:
    chip: Any = load_chip(ROOT / "examples/own-macro/foundry/chip.toml" if source != "preset" else "tnsa16-core")
    if source == "domains":
        chip = load_chip(chip.folder / "chip.toml", {"macro.domains.VDDA": "array", "macro.domains.VPP": "programming"})
    report = generate(chip, tmp_path, wrap="wishbone")
    commands = read(tmp_path / f"{report.top}.upf")
    supplied = check(commands, Scope(tmp_path))
    pins = {"VDD", "VSS"} if source == "preset" else {"VDDA", "VPP", "VSSA"}
    assert {f"core/macro/macro/{pin}" for pin in pins} <= supplied
    assert ("create_supply_set" in {name for name, _, _ in commands}) == (source == "domains")


@pytest.mark.cosim("tclsh")
@pytest.mark.slow
def test_power_intent_of_a_chip_switches_tiles_that_are_there(tmp_path: Path) -> None:
    report = generate(load_chip("tnsa16-2x2"), tmp_path, wrap="none", part="chip")
    commands = read(tmp_path / f"{report.top}.upf")
    check(commands, Scope(tmp_path))
    assert sum(name == "create_power_switch" for name, _, _ in commands) == 4


@pytest.mark.slow
@pytest.mark.cosim("tclsh")
@pytest.mark.parametrize(("old", "new"), [
    ("core/macro/macro", "core/macros/macro"), ("-domain PD_MACRO", "-domain PD_ARRAY"), ("-ports", "-port"),
    ("macro/VDD}", "macro/VDDX}"),
])
def test_a_wrong_power_intent_is_found(old: str, new: str, tmp_path: Path) -> None:
    report = generate(load_chip("tnsa16-core"), tmp_path, wrap="wishbone")
    path = tmp_path / f"{report.top}.upf"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises((AssertionError, KeyError)):
        check(read(path), Scope(tmp_path))
