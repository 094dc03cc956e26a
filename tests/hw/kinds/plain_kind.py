"""The kind that is made up by the files in ``plain``, put where files of kinds are looked for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mho.hw import kinds as hw_kinds
from mho.hw.config import Chip, chip_from_dict
from mho.hw.config import kinds as config_kinds
from mho.hw.emulator import kinds as emulator_kinds
from mho.macro_models import kinds as model_kinds
from mho.rtl_gen import kinds as text_kinds
from mho.sim import kinds as sim_kinds

__all__ = ["described", "plain_kind"]

HERE = Path(__file__).parent / "plain"
ROOMS = {"config": config_kinds, "hw": hw_kinds, "macro_models": model_kinds, "sim": sim_kinds, "rtl_gen": text_kinds,
         "emulator": emulator_kinds}


@contextmanager
def plain_kind(folder: Path) -> Iterator[None]:
    """The kind is there in this process and, by what is put into ``folder``, in that of a simulator."""
    lines = [
        f"import {room.__name__}\n{room.__name__}.__path__.append({str(HERE / name)!r})" for name, room in ROOMS.items()
    ]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    paths = {room.__name__: [*room.__path__, str(HERE / name)] for name, room in ROOMS.items()}
    with patch.object(sys, "path", [str(folder), *sys.path]):  # which the simulator's Python has, too
        patches = [patch.object(room, "__path__", paths[room.__name__]) for room in ROOMS.values()]
        for each_room in patches:
            each_room.start()
        try:
            yield
        finally:
            for each_room in patches:
                each_room.stop()
            for room in ROOMS.values():
                sys.modules.pop(f"{room.__name__}.plain", None)
                vars(room).pop("plain", None)


def described(rows: int, columns: int, mesh: Any = None, **sar: Any) -> Chip:
    core = {"kind": "plain", "rows": rows, "columns": columns}
    return chip_from_dict({"schema": 1, "core": core, "sar": sar, "mesh": mesh or {}})
