"""Scopes of the waves of a model of which a simulation has several instances.

In Verilator's C++ the names of scopes are constants. Of instances that end with ``_here``, and of the top, they become
what ``mho_scope`` makes of them when an instance is declared (``tile_waves.h``).
"""

import re
from pathlib import Path

from macro_models.errors import ToolError

__all__ = ["name_scopes"]

_SCOPES = re.compile(r'->pushPrefix\("((?:macro|tile|notes_tile)_here|tile_shell)",')
_INCLUDE = re.compile(r"^#include .*\n(?!#include)", re.MULTILINE)
_DECLARED = "\n#include <string>\nstd::string mho_scope(const char* name);\n"


def name_scopes(objects: Path, name: str) -> None:
    """Have the scopes of the model ``name`` named anew, in what Verilator wrote to the folder ``objects``.

    Raises
    ------
    ToolError
        If no such scope was found, as with another Verilator.
    """
    found = 0
    for path in sorted(objects.glob(f"{name}__Trace__*.cpp")):
        text, count = _SCOPES.subn(r'->pushPrefix(mho_scope("\1"),', path.read_text("utf-8"))
        if count:
            path.write_text(_INCLUDE.sub(lambda match: match[0] + _DECLARED, text, count=1), "utf-8")
            found += count
    if not found:
        raise ToolError(f"verilator wrote no scopes of {name} that could be named, as 5.032 does; there are no waves of tiles")
