"""Modules of generated Verilog as texts: what is in them, and black boxes for what is left out."""

import re


def without_comments(texts: dict[str, str]) -> dict[str, str]:
    """The same modules: comments change no netlist."""
    return {name: re.sub(r" *//.*", "", text) for name, text in texts.items()}


def black_box(text: str) -> str:
    """A module's ports alone."""
    head = re.search(r"^module .*?\);", text, re.MULTILINE | re.DOTALL)
    return f"(* blackbox *)\n{head[0] if head else ''}\nendmodule\n"


def instances(text: str, modules: dict[str, str]) -> list[str]:
    """Modules that a module instantiates, as often as it does."""
    return [name for name in re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \($", text, re.MULTILINE) if name in modules]


def macro_stub(adapter: str) -> str:
    """The macro as the adapter uses it, a black box whose ports have no direction that matters here."""
    name, body = re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \((.*?)\);", adapter, re.MULTILINE | re.DOTALL)[-1]
    widths = {n: w for w, n in re.findall(r"^\s*(?:input|output)\s+wire\s+(\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)}
    outputs = re.findall(r"^\s*output\s+wire\s+(?:\[\d+:0\])?\s*(\w+)", adapter, re.MULTILINE)
    ports = [
        f"{'output' if wire in outputs else 'input'} {widths.get(wire, '') or ''} {port}"
        for port, wire in re.findall(r"\.(\w+)\((\w*)\)", body)
    ]
    return f"(* blackbox *)\nmodule {name} ({', '.join(ports)});\nendmodule\n"


def gate_module(name: str, cell: str, enable: str, clock: str, gated: str) -> str:
    """The module of clock gates with a cell of the library in it, and that cell as a black box."""
    ports = "input wire clk,\n  input wire enable,\n  output wire gated"
    inner = f".{clock}(clk), .{enable}(enable), .{gated}(gated)"
    module = f"module {name} (\n  {ports}\n);\n  {cell} gate ({inner});\nendmodule\n"
    return module + f"(* blackbox *) module {cell} (input {clock}, input {enable}, output {gated});\nendmodule\n"


def counted(modules: dict[str, str], top: str) -> dict[str, int]:
    """How often each module is in the design."""
    result: dict[str, int] = {}

    def visit(name: str) -> None:
        result[name] = result.get(name, 0) + 1
        for child in instances(modules[name], modules):
            visit(child)

    visit(top)
    return result


def memory_bits(modules: dict[str, str], number: dict[str, int], prefix: str) -> dict[str, int]:
    """Bits of each memory wrapper, all its instances."""
    shapes = {name: re.match(rf"{prefix}mem_(\d+)x(\d+)", name) for name in number}
    return {name: int(m[1]) * int(m[2]) * number[name] for name, m in shapes.items() if m}


def parts_of(modules: dict[str, str], top: str) -> list[str]:
    """Parts of a tile that have modules: its own logic, its node, its core, the registers of that."""
    return [name for name in dict.fromkeys(instances(modules[top], modules)) if instances(modules[name], modules)]
