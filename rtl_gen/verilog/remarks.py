"""What a module and its ports are, as comments: from the docstrings of the component that it was made of."""

import inspect
import re
import textwrap
from collections.abc import Iterable

from mho.hw.block import Resettable

__all__ = ["module_remarks", "port_remarks"]

_WIDTH = 100
_PLACES = {
    "mho.hw.core": "the core", "mho.hw.kinds": "the core", "mho.hw.macro": "the core, at the macro",
    "mho.hw.host": "the host's side of the core", "mho.hw.noc": "the network on chip", "mho.hw.tile": "a tile",
    "mho.hw.chip": "the top", "mho.hw.emulator": "the emulated macro",
}
"""Where blocks of a package are in a chip."""


def module_remarks(kind: type) -> list[str]:
    """Lines on a module: what it does, how long that takes, and where it is; without the ``//``."""
    paragraphs = _sections(kind)[""].split("\n\n")
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph.strip() and not paragraph.lstrip().startswith(".."):
            lines += [*([""] if lines else []), *textwrap.wrap(_plain(paragraph), _WIDTH)]
    place = next((name for package, name in _PLACES.items() if f"{kind.__module__}.".startswith(f"{package}.")), "")
    return [*lines, f"Part of {place}."] if place and lines else lines


def port_remarks(kind: type, ports: Iterable[str]) -> dict[str, str]:
    """What ports carry, where the docstring of the component says so: by port, the first of those that share it.

    A member that is a bundle (``o`` of ``o_payload`` and ``o_valid``) speaks for all its ports.
    """
    listed = list(ports)
    remarks: dict[str, str] = {}
    for names, text in _members(kind):
        carried = [port for name in names for port in listed if port == name or port.startswith(f"{name}_")]
        first = next((port for port in listed if port in carried and port not in remarks), None)
        if first is not None and text:
            remarks[first] = text
    return remarks


def _sections(kind: type) -> dict[str, str]:
    """Text before the first heading (under no name) and under each heading."""
    doc = inspect.cleandoc(vars(kind).get("__doc__") or "")
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", doc, flags=re.MULTILINE)
    return {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))


def _members(kind: type) -> list[tuple[list[str], str]]:
    """Names and texts of the members, as far as docstrings have a list of them: its own, and those of its bases."""
    members: list[tuple[list[str], str]] = []
    bases = [base for base in kind.__mro__ if base.__module__ != Resettable.__module__]
    for line in "\n".join(_sections(base).get("Members", "") for base in bases).splitlines():
        if head := re.match(r"([\w, ]+?) : ", line):
            members.append(([name.strip() for name in head[1].split(",")], ""))
        elif members and line[:1].isspace():
            names, text = members[-1]
            members[-1] = names, f"{text} {_plain(line)}".strip()
    return members


def _plain(text: str) -> str:
    """Words without markup."""
    text = re.sub(r":\w+:`~?([^`]*)`", lambda m: m[1].rpartition(".")[2], text)
    return " ".join(text.replace("``", "").replace("`", "").split())
