"""A clock edge of several models of one module, part by part: a header made from the C++ that Verilator wrote.

The code of a large module is several times the first cache of a processor, and each model runs through all of it at
each edge. Here all models do a part of the edge before any does the next. A part does not know that: within an edge
models know nothing of each other.
"""

import re
from collections.abc import Collection

__all__ = ["edge_header"]

_GROUP = re.compile(r"if \(\((\d+)ULL & vlSelfRef\.__V(?:nba|ico)Triggered\.word\(0U\)\)\) \{([^{}]*)\}")
_CALL = re.compile(r"(\w+)\(vlSelf\);")
_SET = re.compile(r"__VactTriggered\.set\((\d+)U, (.*?)\);\n", re.DOTALL)
_READ = re.compile(r"vlSelfRef\.(?:__Vtrigprevexpr___TOP__)?(\w+?)(?:__0)?\b")
_FUNCTION = re.compile(r"^(?:VL_INLINE_OPT )?void (\w+)\(\w+\* vlSelf\) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
_WHOLE = ["m.clk = 0; m.eval(); m.clk = 1; m.eval()"]


def edge_header(code: str, name: str, constant: Collection[str] = ()) -> str:
    """Macros for a rising edge of ``clk`` of models ``m`` whose inputs are at their ports, and whose ``clk`` is 0.

    ``NAME_INPUTS(DO)`` has ``DO(...)`` around what follows from inputs that have changed since the model was evaluated,
    ``NAME_EDGE(DO)`` around each part of the edge, in their order. Where the code is not of the expected form, the only
    part is the evaluation of a whole model.

    Parameters
    ----------
    code
        All C++ of the model.
    name
        Class of the model.
    constant
        Ports that never change.
    """
    found = _parts(code, f"{name}___024root___", constant)
    inputs, edge = found or ([], _WHOLE)
    called = [f"{part}(m.rootp)" for part in edge] if found else edge
    declared = [f"void {part}({name}___024root*);" for part in (*inputs, *edge) if found]
    return "\n".join([
        "// A clock edge of several models. Generated.", "#pragma once", *declared,
        f"#define {name.upper()}_INPUTS(DO) " + " ".join(f"DO({part}(m.rootp))" for part in inputs),
        f"#define {name.upper()}_EDGE(DO) " + " ".join(f"DO({part})" for part in called), "",
    ])


def _parts(code: str, prefix: str, constant: Collection[str]) -> tuple[list[str], list[str]] | None:
    """Functions of inputs and of the edge, unless something else than the clock triggers or they look at triggers."""
    bodies = dict(_FUNCTION.findall(code))
    triggers = dict(_SET.findall(bodies.get(f"{prefix}eval_triggers__act", "")))
    clocks = [int(bit) for bit, what in triggers.items() if set(_READ.findall(what)) == {"clk"}]
    others = {port for what in triggers.values() for port in _READ.findall(what)} - {"clk", *constant}
    inputs, edge = (_calls(bodies.get(f"{prefix}{what}", "")) for what in ("eval_ico", "eval_nba"))
    active = _CALL.search(bodies.get(f"{prefix}eval_act", ""))
    if len(clocks) != 1 or others or active or inputs is None or not edge:
        return None
    found = [part for _, part in inputs], [part for mask, part in edge if mask >> clocks[0] & 1]
    return None if any("Triggered" in bodies.get(part, "Triggered") for part in (*found[0], *found[1])) else found


def _calls(body: str) -> list[tuple[int, str]] | None:
    """Functions that a body calls, each with the mask of its triggers, unless it does anything else."""
    left = _GROUP.sub("", body.partition("// Body")[2])
    if left.strip():
        return None
    return [(int(mask), call) for mask, calls in _GROUP.findall(body) for call in _CALL.findall(calls)]
