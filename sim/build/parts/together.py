"""Which variables of a tile were seen to change together: ``together.txt``.

It was made of runs in which each node was a part of its own: a network on all tiles of ``neurram`` whose cores are at
work, and one of convolutions on ``tnsa64-2x2``. It decides what becomes a part, thus time alone.
"""

import re
from functools import cache
from pathlib import Path

__all__ = ["number_of"]

_PLACES = {"port": "", "shell": "tile_shell__DOT__"}
_NEXT = "'"
_MEMORY = re.compile(r"__VdlySet__(.*?)__v\d+$")


@cache
def _seen_together() -> dict[str, int]:
    """Paragraphs by the names of variables in C++; a memory has ``^`` behind it for where it is set."""
    places: dict[str, int] = {}
    path = Path(__file__).with_name("together.txt")
    for number, paragraph in enumerate(path.read_text(encoding="utf-8").split("\n\n")):
        for line in paragraph.splitlines():
            module, _, names = line.partition(": ")
            if line.startswith("#"):
                continue
            place = _PLACES.get(module, f"tile_shell.{module}.".replace(".", "__DOT__"))
            for name in names.split():
                plain = f"{place}{name.rstrip(_NEXT)}"
                places[f"__Vdly__{plain}" if name.endswith(_NEXT) else plain] = number
    return places


def number_of(name: str) -> int | None:
    """The paragraph of a variable, by its name in C++."""
    memory = _MEMORY.match(name)
    return _seen_together().get(f"{memory[1]}^" if memory else name)
