"""Waves of a model of which a simulation has several instances: what differs between these, and what they share.

In Verilator's C++ the names of scopes are constants. Of instances that end with ``_here``, and of the top, they become
what ``mho_scope`` makes of them when an instance is declared (``tile_waves.h``). Its clock, with all that is the same
net, becomes the signal ``mho_clock`` that all instances have and which is looked at elsewhere, so that nothing of an
instance at rest is looked at or written.
"""

import re
from pathlib import Path

from mho.macro_models.errors import ToolError

__all__ = ["name_scopes"]

_SCOPES = re.compile(r'->pushPrefix\("((?:macro|tile|notes_tile)_here|tile_shell)",')
_INCLUDE = re.compile(r"^#include .*\n(?!#include)", re.MULTILINE)
_CLOCK = re.compile(r'->declBit\(c\+(\d+),0,"clk",-1, VerilatedTraceSigDirection::INPUT')
_CLOCK_DUMP = re.compile(r"^ *bufp->(?:full|chg)Bit\(oldp\+(\d+),\(vlSelfRef\.clk\)\);\n", re.MULTILINE)
_DECLARED = "\n#include <string>\nstd::string mho_scope(const char* name);\nextern uint32_t mho_clock;\n"


def name_scopes(objects: Path, name: str) -> None:
    """Have the scopes of the model ``name`` named anew and its clock shared, in what Verilator wrote to ``objects``.

    Raises
    ------
    ToolError
        If scopes or clock were not found, as with another Verilator.
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
