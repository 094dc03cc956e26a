"""Files by which other tools take the Verilog, and the page of the folder that says what to read first."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mho.hw.config import Chip
from mho.rtl_gen.folder import yours_once_changed
from mho.rtl_gen.macro.supplies import supply_nets, supply_pins
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.ports import Port, module_ports


@dataclass(frozen=True, kw_only=True)
class Design:
    """What the files are about."""

    chip: Chip
    what: str
    top: str
    """The chip, what of it this is in words, and the top module."""
    rtl: tuple[str, ...]
    stubs: tuple[str, ...] = ()
    """Paths relative to the folder, the top's file first."""
    macro: str = ""
    """Module of the macro; empty if there is none."""
    macro_instances: tuple[str, ...] = ()
    """Where the macros are, from the top down."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    """Ports of the top but for clock and supplies, as patterns of their bits (``wb_adr_i[*]``)."""
    unclocked: tuple[str, ...] = ()
    """Inputs of the top that belong to no clock."""
    clocks: tuple[tuple[str, float], ...] = ()
    """Ports of the top that are clocks of the macro's own, with their frequencies in MHz."""
    simulated: bool = False
    """Whether the folder has a bench, and a model of the macro in Verilog."""
    bench: tuple[str, ...] = ()
    """Files of the bench beside it."""

    @property
    def period_ns(self) -> str:
        """Clock period in ns."""
        return _period(self.chip.clock.f_clk_MHz)

    @property
    def reset_low(self) -> bool:
        """The reset is asynchronous and active low."""
        return self.chip.verilog.reset == "async_low"


def _period(f_MHz: float) -> str:
    """Period in ns, at most three decimals, rounded down."""
    return f"{int(1_000_000 / Fraction(str(f_MHz))) / 1000:g}"


def file_list(design: Design) -> str:
    """``TOP.f``: the Verilog, by paths relative to the list (``-F`` of Verilator and others)."""
    return "\n".join(design.rtl) + "\n"


_SDC_VARIABLES = (
    ("clock_uncertainty_ns", "0.1", "CLOCK_UNCERTAINTY_CONSTRAINT", "", "Jitter of the clock and margin."),
    ("io_share", "1.0 / 3", "IO_DELAY_CONSTRAINT", " / 100.0", "Share of the period that is spent outside of a port."),
    ("io_least_ns", "0.0", "", "", "Least delay outside of a port, for hold."),
    ("io_reference", '""', "", "", "Pin of a register whose clock is as late as that outside; none: no delay."),
    ("driving_cell", '""', "SYNTH_DRIVING_CELL", "", "Cell and output pin before inputs, as sg13g2_buf_4/X."),
    ("input_transition_ns", "0.3", "", "", "Transition of inputs that have no driving cell."),
    ("output_load_pF", "0.05", "OUTPUT_CAP_LOAD", " / 1000.0", "Load of outputs."),
    ("max_transition_ns", "1.0", "MAX_TRANSITION_CONSTRAINT", "", "Slowest edge of any net."),
    ("max_fanout", "16", "MAX_FANOUT_CONSTRAINT", "", "Pins that one cell drives."),
)
"""Variables of the constraints: name, default, LibreLane's variable of that meaning, what makes it ours, use."""


def sdc(design: Design) -> str:
    """``TOP.sdc``: clock, what is outside of the ports, limits of nets, and inputs that are not timed."""
    settings = []
    for name, default, variable, scale, use in _SDC_VARIABLES:
        value = f"expr {{{default}}}" if "/" in default else ""
        settings += [f"# {use}", f"if {{![info exists {name}]}} {{"]
        settings.append(f"  set {name} {f'[{value}]' if value else default}")
        if variable:
            expression = f"[expr {{$::env({variable}){scale}}}]" if scale else f"$::env({variable})"
            settings.append(f"  if {{[info exists ::env({variable})]}} {{ set {name} {expression} }}")
        settings.append("}")
    further = [name for name, _ in design.clocks]
    groups = "".join(f" -group {{{name}}}" for name in ("clk", *further))
    clocks = [f"create_clock -name {name} -period {_period(rate)} [get_ports {name}]" for name, rate in design.clocks]
    clocks += [f"set_clock_groups -asynchronous{groups}"] * bool(further)
    modes = []
    if design.reset_low:
        modes += [
            "",
            "# The reset may fall at any time; it rises in step with the clock: recovery and removal are checked.",
            "set_false_path -fall_from [get_ports rst_n]",
        ]
    if design.chip.verilog.test:
        modes += ["", "# The mode of use; that of tests is constrained where its clock is known.",
                  "set_case_analysis 0 [get_ports test_mode]"]
    for name in design.unclocked:
        modes += ["", f"# {name} comes from no clock: it is synchronised within, and gates pins of the macro as it is."]
        modes.append(f"set_false_path -from [get_ports {name}]")
    return fill(template("constraints.sdc"), {
        "TOP": design.top, "PERIOD": design.period_ns, "VARIABLES": "\n".join(settings),
        "CLOCKS": _lines(clocks), "MODES": _lines(modes),
        "INPUTS": _lines(f"  {port}" for port in design.inputs if port not in further),
        "OUTPUTS": _lines(f"  {port}" for port in design.outputs),
    })


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _yaml_list(items: Sequence[str]) -> str:
    return "\n".join(f"      - {item}" for item in items)


def fusesoc_core(design: Design) -> str:
    """``TOP.core`` in CAPI2: targets ``lint``, ``synth``, and ``sim`` where a model of the macro is in the folder."""
    stubs = f"  stubs:\n    files:\n{_yaml_list(design.stubs)}\n    file_type: verilogSource-2005\n"
    bench, sim = (template(f"fusesoc_{name}.core") if design.simulated else "" for name in ("bench", "sim"))
    return fill(template("fusesoc.core"), {
        "BENCH": bench, "SIM": sim, "WHAT": json.dumps(design.what), "TOP": design.top, "MACRO": design.macro,
        "RTL": _yaml_list(design.rtl), "STUBS": stubs if design.stubs else "",
        "SOURCES": "rtl, stubs" if design.stubs else "rtl",
        "MORE": "".join(f"      - tb/{file}: {{file_type: user}}\n" for file in design.bench),
    })


def librelane_config(design: Design) -> str:
    """``librelane/config.json``; the macro's views are the user's to place beside it."""
    config: dict[str, Any] = {
        "DESIGN_NAME": design.top,
        "VERILOG_FILES": [f"dir::../{path}" for path in design.rtl],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": float(design.period_ns),
        "PNR_SDC_FILE": f"dir::../{design.top}.sdc",
        "SIGNOFF_SDC_FILE": f"dir::../{design.top}.sdc",
    }
    return json.dumps(config | (_macro_config(design) if design.macro else {}), indent=2) + "\n"


def _macro_config(design: Design) -> dict[str, Any]:
    """What LibreLane must know of the macro and its supplies."""
    power, ground = supply_pins(design.chip.macro)
    supply_list, ground_list = supply_nets(design.chip.macro)
    # Each line connects a pair: a power pin to its net and a ground pin to its.
    grounds = list(ground.items())
    pairs = [(pin, net, *grounds[0]) for pin, net in power.items()] if grounds else []
    pairs += [(*next(iter(power.items())), pin, net) for pin, net in grounds[1:]] if power else []
    hooks = [f"{instance} {net} {low_net} {pin} {low_pin}" for instance in design.macro_instances
             for pin, net, low_pin, low_net in pairs]
    supplies: dict[str, Any] = {"VDD_NETS": supply_list, "GND_NETS": ground_list} if hooks else {}
    if hooks and not (design.chip.macro and design.chip.macro.wrapper):
        # Within a wrapper the user's own Verilog connects them.
        supplies["PDN_MACRO_CONNECTIONS"] = hooks
    return {
        "VERILOG_POWER_DEFINE": "USE_POWER_PINS",
        "EXTRA_VERILOG_MODELS": [f"dir::../{path}" for path in design.stubs],
        **supplies,
        "MACROS": {
            design.macro: {
                "gds": [f"dir::{design.macro}.gds"],
                "lef": [f"dir::{design.macro}.lef"],
                "lib": {"*": [f"dir::{design.macro}.lib"]},
                "instances": {
                    instance: {"location": None, "orientation": "N"} for instance in design.macro_instances
                },
            }
        },
    }


_FILES = (
    ("TOP.f", "the Verilog, the top first (`-F` of Verilator and others)"),
    ("TOP.core", "FuseSoC: targets `lint`, `synth` (by `synth.tcl`) and, with a model in `tb/`, `sim`"),
    ("TOP.sdc", "constraints; what your process and board say is in variables at its head"),
    ("TOP.upf", "power intent: the domains of the digital part and of the macro, and every supply"),
    ("TOP.vlt", "what Verilator's `-Wall` may say, and why"),
    ("stubs/", "the macro as a black box, for synthesis"),
    ("librelane/config.json", "for LibreLane; settings of your own go in a file beside it, given after it"),
    ("librelane/*.lef, .lib", "templates of the macro's views, to be replaced by those of your layout"),
    ("librelane/*.md", "outline of the macro: which of its pins come where, for who draws it"),
    ("regs/", "the registers: a page (`.md`), SystemRDL, a C header and a driver in C"),
    ("tb/", "a first test (`make`, `pytest`), and the contract of the macro's pins as assertions"),
    ("report.json", "what was generated, from what, with hashes"),
)


def write_readme(design: Design, texts: Mapping[str, str]) -> str:
    """Markdown about all files ``texts`` of a design, by path."""
    texts = {**texts, "README.md": ""}
    modules = {name: text for path, text in texts.items() if path.startswith("rtl/") for name in _modules(text)}
    files = {name: path for path, text in texts.items() if path.startswith("rtl/") for name in _modules(text)}
    tree = "\n".join(_tree(design.top, "", modules, files, design.macro, set()))
    listed = [(path.replace("TOP", design.top), use) for path, use in _FILES]
    return fill(template("readme.md"), {
        "TOP": design.top, "WHAT": design.what, "TREE": tree, "YOURS": _yours(texts),
        "FILES": "\n".join(f"| `{path}` | {use} |" for path, use in listed if _there(path, texts)),
    })


def _yours(texts: Mapping[str, str]) -> str:
    names = sorted({"`tb/`" if path.startswith("tb/") else f"`{path}`" for path in texts if yours_once_changed(path)})
    return ", ".join(names) or "no file"


def _there(path: str, texts: Mapping[str, str]) -> bool:
    first = path.split(",")[0]
    if first == "report.json":
        return True
    pattern = re.escape(first).replace(r"\*", ".*")
    return any(re.match(pattern, name) for name in texts)


def _modules(text: str) -> list[str]:
    return re.findall(r"^module (\w+)", text, re.MULTILINE)


def _tree(
    module: str, instance: str, modules: Mapping[str, str], files: Mapping[str, str], macro: str, shown: set[str],
    depth: int = 0,
) -> Iterator[str]:
    """A line for each block: its instance, what it is, its file; what is in it below it, the first time."""
    name = f"{'  ' * depth}{instance or module}"
    if module not in modules:
        yield f"{name:<34}the macro: stubs/{module}.v"
        return
    text = modules[module]
    remark = re.match(r"// ([^\n]*(?:\n// [^\n]*)*)", text)
    first = re.split(r"(?<=[.:]) ", " ".join(remark[1].replace("\n// ", " ").split()))[0] if remark else ""
    first = first.rstrip(":.")
    yield f"{name:<34}{files[module]}  {first if len(first) < 90 else first[:86] + ' ...'}".rstrip()
    if module in shown:
        return
    shown.add(module)
    for inner, place in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", text, re.MULTILINE):
        if inner in modules or inner == macro:
            yield from _tree(inner, place, modules, files, macro, shown, depth + 1)


_REASONS = {
    "DECLFILENAME": "A file has the name of its module without the prefix.",
    "PINCONNECTEMPTY": "Outputs of a block that this chip does not need are left open on purpose.",
    "UNUSEDSIGNAL": "Ports and fields of a bus or a structure that this module does not need, or not all bits of them.",
    "UNDRIVEN": "The black box has no body.",
    "ASCRANGE": "Pins of the macro that are numbered upwards keep their numbers.",
}

_COMMENT = re.compile(
    r"//[^\n]*|/\*.*?\*/|\(\*(?!\)).*?\*\)|^`ifdef STATE_NAMES\n.*?^`endif|^`(?:ifdef|else|endif)\b[^\n]*",
    re.DOTALL | re.MULTILINE,
)
_MODULE = re.compile(r"^module (\w+)", re.MULTILINE)
_DECLARED = re.compile(
    r"\b(input|output|inout|wire|reg)\b(?:\s+(?:wire|reg)\b)?\s*(?:\[(\d+):(\d+)\])?\s*(\w+)(?:\s*\[0:\d+\])?"
)
_INSTANCE = re.compile(r"^\s*(\w+)\s+(?:#\(.*?\)\s*)?\w+\s*\(\s*(?=\.)(.*?)\);", re.DOTALL | re.MULTILINE)
_CONNECTED = re.compile(r"\.(\w+)\(")
_OPEN = re.compile(r"\.(\w+)\(\s*\)")
_TARGET = re.compile(r"^(\s*(?:[^;=?\n]*:)?\s*(?:assign\s+)?)\w+(?:\[[^\]]*\])?\s*<?=(?!=)", re.MULTILINE)
_READ = re.compile(r"\b([A-Za-z_]\w*)\b(?:\[(\d+)(?::(\d+))?\]|(\[))?")
_ASCENDING = re.compile(r"(?:input|output|inout|wire|reg)\s*\[(\d+):(\d+)\]")


def waivers(files: Mapping[str, str]) -> str:
    """Waivers for the Verilog of files, by their paths; black boxes are in the folder ``stubs``."""
    ports: dict[str, Mapping[str, Port]] = {}
    plain = {path: _COMMENT.sub(" ", text) for path, text in files.items()}
    for text in plain.values():
        ports |= {name: module_ports(text, name) or {} for name in _MODULE.findall(text)}
    named: dict[str, set[tuple[str, str]]] = {rule: set() for rule in _REASONS}
    for path, text in plain.items():
        if path.rpartition("/")[2].removesuffix(".v") not in _MODULE.findall(text):
            named["DECLFILENAME"].add((path, ""))
        named["PINCONNECTEMPTY"] |= {(path, f"'{name}'") for name in _OPEN.findall(text)}
        named["ASCRANGE"] |= {(path, f"[{left}:{right}]") for left, right in _ASCENDING.findall(text)
                              if int(left) < int(right)}
        if not path.startswith("stubs/"):
            named["UNUSEDSIGNAL"] |= {(path, f"'{name}'") for name in _unread(text, ports)}
            continue
        for port in (port for name in _MODULE.findall(text) for port in ports[name].values()):
            named["UNUSEDSIGNAL" if port.direction != "output" else "UNDRIVEN"].add((path, f"'{port.name}'"))
    lines = ["`verilator_config"]
    for rule, reason in _REASONS.items():
        lines += [f"// {reason}"] * bool(named[rule])
        lines += [f'lint_off -rule {rule} -file "*{path}"' + f' -match "*{name}*"' * bool(name)
                  for path, name in sorted(named[rule])]
    return "\n".join(lines) + "\n"


def _unread(text: str, ports: Mapping[str, Mapping[str, Port]]) -> Iterator[str]:
    """Signals of which not all bits are read in the text of a module."""
    sizes = {name: abs(int(left or 0) - int(right or 0)) + 1
             for kind, left, right, name in _DECLARED.findall(text) if kind != "output"}
    rest = _TARGET.sub(r"\1", _INSTANCE.sub(lambda m: _inputs(m, ports), _DECLARED.sub(" ", text)))
    read: dict[str, set[int]] = {name: set() for name in sizes}
    for name, high, low, computed in _READ.findall(rest):
        if name in read:
            # A place that is computed may be any.
            whole = computed or not high
            read[name].update(range(sizes[name]) if whole else range(int(low or high), int(high) + 1))
    yield from (name for name, size in sizes.items() if len(read[name]) < size)


def _inputs(instance: re.Match[str], ports: Mapping[str, Mapping[str, Port]]) -> str:
    """What an instance reads: the connections that are no outputs."""
    inside, (_, *pieces) = instance[2], _CONNECTED.split(instance[2])
    inner = ports.get(instance[1], {})
    read = [value for name, value in zip(pieces[::2], pieces[1::2], strict=True)
            if name not in inner or inner[name].direction != "output"]
    return " ".join(read) if inner else inside
