"""``TOP.vlt``: what Verilator's ``-Wall`` may say of the files, signal by signal, and why."""

import re
from collections.abc import Iterator, Mapping

from mho.rtl_gen.verilog.ports import Port, module_ports

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
