"""How lines of Verilog are laid out."""

import re
from collections.abc import Iterable, Sequence

LINE = 110
"""Longest line that the writer aims at."""


def range_text(size: int) -> str:
    """Range of a vector, with a space behind it; nothing for one bit."""
    return "" if size == 1 else f"[{size - 1}:0] "


def wrap(text: str, depth: int = 0) -> str:
    """A statement, indented, broken after commas and before operators where it is long."""
    pad = "  " * depth
    if len(pad) + len(text) <= LINE:
        return pad + text
    lines, line = [], pad
    for word in re.split(r"(?<=,) | (?=[|&?:^+-] )", text):
        if len(line) + len(word) > LINE and line.strip():
            lines.append(line.rstrip())
            line = pad + "    "
        line += word + " "
    return "\n".join([*lines, line.rstrip()])


def paragraphs(logic: Iterable[str]) -> Sequence[str]:
    """Assigns together, blocks apart."""
    parts: list[list[str]] = []
    for text in logic:
        if parts and text.startswith("assign") and parts[-1][-1].startswith("assign"):
            parts[-1].append(text)
        else:
            parts.append([text])
    return ["\n".join(part) for part in parts]
