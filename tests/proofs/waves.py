"""A mesh that stands still, in words: from the waves of a counterexample."""

import re

from mho.hw.noc.flit import TURNS, WANTS, Port

__all__ = ["last_values", "still"]

_QUEUE = re.compile(r"(.*router_(\d+)_(\d+))\.(\w+)_input\.queue\.valid")


def last_values(waves: str) -> dict[str, str]:
    """Bits of all signals at the end, the most significant first, by their path.

    Parameters
    ----------
    waves
        Text of a VCD file.
    """
    scope: list[str] = []
    paths: dict[str, tuple[str, int]] = {}
    values: dict[str, str] = {}
    for line in waves.splitlines():
        word, *rest = line.split() or [""]
        if word == "$scope":
            scope.append(rest[1])
        elif word == "$upscope":
            scope.pop()
        elif word == "$var":
            paths[rest[2]] = ".".join([*scope, rest[3]]), int(rest[1])
        elif word[:1] == "b" and rest and rest[0] in paths:
            path, width = paths[rest[0]]
            values[path] = re.sub("[xz]", "0", word[1:]).rjust(width, "0")
        elif word[:1] in ("0", "1") and word[1:] in paths:
            values[paths[word[1:]][0]] = word[0]
    return values


def still(waves: str) -> list[str]:
    """Which head waits for which output, and who keeps that."""
    values = last_values(waves)
    lines = []
    for path, valid in sorted(values.items()):
        match = _QUEUE.fullmatch(path)
        if match is None or valid == "0":
            continue
        router, port = match[1], Port[match[4].upper()]
        unit, count = f"{router}.{match[4]}_input", len(WANTS[port])
        # What is wanted goes with a flit, in the bits after its own.
        want = int(values[f"{unit}.queue.o"][:count], 2) & ~int(values[f"{unit}.served"], 2)
        waits = [_why(values, router, port, leave) for k, leave in enumerate(WANTS[port]) if want >> k & 1]
        lines.append(f"router ({match[2]}, {match[3]}), {port.name.lower()} input: waits for {' and for '.join(waits)}")
    return lines


def _why(values: dict[str, str], router: str, port: Port, leave: Port) -> str:
    name = leave.name.lower()
    owner = int(values.get(f"{router}.{name}_arbiter.owner", "0"), 2)
    holders = [entry for k, entry in enumerate(TURNS[leave]) if owner >> k & 1]
    reasons = [
        "which it keeps" if entry is port else f"kept for the packet of the {entry.name.lower()} input"
        for entry in holders
    ]
    if "1" not in values[f"{router}.{name}_o__ready"]:
        reasons.append("without room beyond it")
    return f"the {name} output, {', '.join(reasons) or 'which is free'}"
