"""A clock edge of several models of one module: the C++ that Verilator wrote, rewritten where its form is known.

The code of a large module is several times the first cache of a processor, and most of it computes what it computed
at the edge before. :mod:`mho.sim.build.parts` takes it apart: a part is run only where something that it reads has
changed, and for all models before the next part. Within an edge models know nothing of each other.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.sim.build.parts.files import edge_files, whole_header
from mho.sim.build.parts.statements import UnknownFormError

_SCOPES = re.compile(r'->pushPrefix\("((?:macro|tile|notes_tile)_here|tile_shell)",')
_INCLUDE = re.compile(r"^#include .*\n(?!#include)", re.MULTILINE)
_CLOCK = re.compile(r'->declBit\(c\+(\d+),0,"clk",-1, VerilatedTraceSigDirection::INPUT')
_CLOCK_DUMP = re.compile(r"^ *bufp->(?:full|chg)Bit\(oldp\+(\d+),\(vlSelfRef\.clk\)\);\n", re.MULTILINE)
_DECLARED = "\n#include <string>\nstd::string mho_scope(const char* name);\nextern uint32_t mho_clock;\n"


def name_scopes(objects: Path, name: str) -> None:
    """Have the scopes of the model ``name`` named anew and its clock shared, in what Verilator wrote to ``objects``.

    Raises ToolError if scopes or clock were not found, as with another Verilator.
    """
    texts = {path: path.read_text("utf-8") for path in sorted(objects.glob(f"{name}__Trace__*.cpp"))}
    clocks = {code for text in texts.values() for code in _CLOCK.findall(text)}
    scopes = dumps = 0
    for path, text in texts.items():
        text, count = _SCOPES.subn(r'->pushPrefix(mho_scope("\1"),', text)
        scopes += count
        text, count = _CLOCK_DUMP.subn("", text)
        dumps += count
        for code in clocks:
            text = text.replace(f"->declBit(c+{code},0,", "->declBit(mho_clock,0,")
        path.write_text(_INCLUDE.sub(lambda match: match[0] + _DECLARED, text, count=1), "utf-8")
    if not scopes or len(clocks) != 1 or dumps != 2:
        raise ToolError(f"verilator wrote waves of {name} in a form that is not known; that of 5.032 is")


PARTS = os.environ.get("MHO_PARTS", "1") != "0"
"""Whether edges are taken apart; ``MHO_PARTS=0`` leaves models as Verilator has them, for comparison."""

_GROUP = re.compile(r"if \(\((\d+)ULL & vlSelfRef\.__V(?:nba|ico)Triggered\.word\(0U\)\)\) \{([^{}]*)\}")
_CALL = re.compile(r"(\w+)\(vlSelf\);")
_SET = re.compile(r"__VactTriggered\.set\((\d+)U, (.*?)\);\n", re.DOTALL)
_READ = re.compile(r"vlSelfRef\.(?:__Vtrigprevexpr___TOP__)?(\w+?)(?:__0)?\b")
_FUNCTION = re.compile(r"^(?:VL_INLINE_OPT )?void (\w+)\(\w+\* vlSelf\) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)


def edge_sources(
    code: str, header: str, name: str, constant: Collection[str] = (), parts: bool = PARTS
) -> dict[str, str]:
    """C++ for clock edges of models, by file name.

    ``NAME__Edge.h`` is always among it, see :mod:`mho.sim.build.parts.files`.

    Where the code is not of the expected form, a model is evaluated whole.

    Parameters
    ----------
    code, header
        All C++ of the model, and the header of its class ``NAME___024root``.
    name
        Class of the model.
    constant
        Ports that never change.
    parts
        Whether edges are taken apart at all.
    """
    whole = {f"{name}__Edge.h": whole_header(name)}
    bodies = dict(_FUNCTION.findall(code))
    phases = _functions(bodies, f"{name}___024root___", constant) if parts else None
    if phases is None:
        return whole
    try:
        return edge_files(code, header, name, [{body: bodies[body] for body in phase} for phase in phases], constant)
    except UnknownFormError:
        return whole


def _functions(
    bodies: dict[str, str], prefix: str, constant: Collection[str]
) -> tuple[list[str], list[str]] | None:
    """Functions of inputs and of the edge, unless something else than the clock triggers or they look at triggers."""
    triggers = dict(_SET.findall(bodies.get(f"{prefix}eval_triggers__act", "")))
    clocks = [int(bit) for bit, what in triggers.items() if set(_READ.findall(what)) == {"clk"}]
    unnamed = {port for what in triggers.values() for port in _READ.findall(what)} - {"clk", *constant}
    inputs, edge = (_calls(bodies.get(f"{prefix}{what}", "")) for what in ("eval_ico", "eval_nba"))
    active = _CALL.search(bodies.get(f"{prefix}eval_act", ""))
    if len(clocks) != 1 or unnamed or active or inputs is None or not edge:
        return None
    parts_of_edge = [part for _, part in inputs], [part for mask, part in edge if mask >> clocks[0] & 1]
    triggered = any("Triggered" in bodies.get(part, "Triggered") for parts in parts_of_edge for part in parts)
    return None if triggered else parts_of_edge


def _calls(body: str) -> list[tuple[int, str]] | None:
    """Functions that a body calls, each with the mask of its triggers, unless it does anything else."""
    left = _GROUP.sub("", body.partition("// Body")[2])
    if left.strip():
        return None
    return [(int(mask), call) for mask, calls in _GROUP.findall(body) for call in _CALL.findall(calls)]
