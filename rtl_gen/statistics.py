"""How large a design is, counted in its Verilog."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Statistics", "count"]


@dataclass(frozen=True)
class Statistics:
    """Of the digital part, all instances counted: modules, bits of flip-flops, bits of memories."""

    modules: int
    flip_flops: int
    memory_bits: int


def count(texts: Mapping[str, str], top: str) -> Statistics:
    """Count in the texts of the modules (as this package writes them) from ``top`` on.

    A memory's output register counts as part of the memory.
    """
    heads = ((re.search(r"^module (\w+) \(", text, re.MULTILINE), text) for text in texts.values())
    modules = {head[1]: text for head, text in heads if head is not None}
    flops: dict[str, int] = {}
    bits: dict[str, int] = {}

    def visit(name: str) -> tuple[int, int]:
        if name not in flops:
            own_flops, own_bits = _own(modules[name])
            for inner in re.findall(r"^  (\w+) (?:#\(.*\) )?\w+ \($", modules[name], re.MULTILINE):
                if inner in modules:
                    more_flops, more_bits = visit(inner)
                    own_flops, own_bits = own_flops + more_flops, own_bits + more_bits
            flops[name], bits[name] = own_flops, own_bits
        return flops[name], bits[name]

    total_flops, total_bits = visit(top)
    return Statistics(len(modules), total_flops, total_bits)


def _own(text: str) -> tuple[int, int]:
    """Bits of flip-flops and of memory of one module."""
    memory = re.search(r"^  reg (?:\[(\d+):0\] )?words \[0:(\d+)\];", text, re.MULTILINE)
    if memory is not None:
        return 0, (int(memory[1] or 0) + 1) * (int(memory[2]) + 1)
    widths = {name: int(high or 0) + 1 for high, name in re.findall(r"\breg +(?:\[(\d+):0\] )?(\w+)[;,\n]", text)}
    clocked = set(re.findall(r"(?:^|: ) *(\w+)(?:\[[^\]\n]*\])? <= ", text, re.MULTILINE))
    return sum(size for name, size in widths.items() if name in clocked), 0
