"""The chip instance: the cells of one programmed chip as a file (``.npz``), and what they become with time.

One zip of JSON and .npy that ``numpy.load`` opens too; nothing that could execute when it is read. The bytes are a
function of the content, and a checksum over all of them makes a cut or altered file known.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.mapping.faults import CoreFaults
from mho.compiler.network import Network
from mho.compiler.network.file.archive import ArchiveKind, read_archive, write_archive
from mho.hw.config import Chip, chip_from_dict
from mho.macro_models.cells.programming import SettledCells
from mho.macro_models.devices import CAUSES, Device, device_from_dict
from mho.macro_models.errors import InputError
from mho.macro_models.files.schema import JSON, TEXT, Choice, Number, Table, Whole
from mho.macro_models.shown import Shown

FORMAT = 1
"""Version of the file format."""

_KIND = ArchiveKind("file of cells", 1 << 31, "cells.json", "program it again")
_OF_THE_ARRAYS = ("core", "cells")
"""Sections of a chip that say what its arrays are."""
_KINDS = {
    "g_uS": np.float64, "left_uS": np.float64, "target_uS": np.float32, "faults": np.bool_, "dead_rows": np.bool_,
    "dead_columns": np.bool_, "pulses": np.int32, "waits": np.int32, "moves": np.bool_,
}
_MOST = {np.float64: 1e6, np.float32: 1e6, np.int32: 2**31 - 1, np.bool_: 1}
_CONTENT = Table({
    "format": Choice((FORMAT,)), "chip": JSON, "chip_sha256": TEXT, "network_sha256": TEXT, "device": JSON,
    "seed": Whole(0, 2**32 - 1), "source": TEXT, "wait_s": Number(0.0, 1e12), "cores": Whole(1), "report": JSON,
})


@dataclass(frozen=True, kw_only=True, eq=False)
class CoreCells:
    """The cells of one core of N lines; arrays [bit line, source line] of shape (N, N) if nothing else is said.

    Where more lines are driven than converted, the shape is that of the kind's cell map.
    """

    g_uS: NDArray[np.float64]
    """Conductances at the end of programming, or as measured (0 for a dead cell), in uS."""
    left_uS: NDArray[np.float64]
    """Conductance that the last pulse of each cell left: it relaxes around this. As ``g_uS`` where measured."""
    target_uS: NDArray[np.float32]
    """What the network wanted, in uS."""
    faults: NDArray[np.bool_]
    """The fault map: cells that cannot be set as wanted."""
    dead_rows: NDArray[np.bool_]
    dead_columns: NDArray[np.bool_]
    """Bit lines and source lines to leave unused, of shape (N,)."""
    pulses: NDArray[np.int32]
    """Pulses of each cell, all passes together."""
    waits: NDArray[np.int32]
    """Waits between passes since a cell's last pulse."""
    moves: NDArray[np.bool_]
    """Cells that relax; stuck and dead ones do not."""

    def at(
        self,
        device: Device,
        *,
        time_s: float,
        temp_C: float,
        causes: frozenset[str],
        seed: int,
        core: int,
        wait_s: float,
    ) -> NDArray[np.float64]:
        """Conductances ``time_s`` seconds after programming, in uS, of shape (N, N).

        Without the cause "programming" cells start from their targets, without "stuck" those of the fault map too,
        without "relaxation" they stay.
        """
        start = np.where(self.faults, "stuck" in causes, "programming" in causes)
        g = np.where(start, self.g_uS, self.target_uS.astype(np.float64))
        if "relaxation" not in causes or time_s <= 0.0:
            return g
        settled = SettledCells(
            left_uS=self.left_uS.ravel(), waits=self.waits.ravel(), wait_s=wait_s, pulses=self.pulses.ravel(),
            moves=self.moves.ravel(), seed=seed, core=core,
        )
        return settled.later_uS(g.ravel(), device, time_s, temp_C).reshape(g.shape)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cells(Shown):
    """One chip: what all its cells hold."""

    cores: tuple[CoreCells, ...]
    """Cells of each core."""
    chip: Chip
    network: str
    """Hash of the network whose targets were programmed, see :func:`network_hash`."""
    device: Device
    """The device whose cells they are."""
    seed: int
    """Which chip."""
    source: str
    """Name of the backend on which they were programmed by write-verify; ``"measured"``: a measured map."""
    wait_s: float
    """Wait between two passes, in seconds."""
    report: Mapping[str, Any]
    """Figures of programming, as JSON; empty for a measured map."""
    file: str = ""

    def _facts(self) -> dict[str, object]:
        return {
            "chip": self.chip.name, "seed": self.seed, "cores": len(self.cores), "device": self.device.name,
            "source": self.source, "faulty": self.faults,
        }

    @property
    def sha256(self) -> str:
        """Hash of the conductances and the fault maps of all cores."""
        digest = hashlib.sha256()
        for core in self.cores:
            for name in _KINDS:
                digest.update(np.ascontiguousarray(getattr(core, name)).tobytes())
        return digest.hexdigest()

    @property
    def faults(self) -> int:
        """Cells in the fault maps, those on dead lines included."""
        return int(sum(core.faults.sum() for core in self.cores))

    def provenance(self) -> dict[str, Any]:
        """Where the cells came from, as JSON."""
        return {
            "file": self.file, "sha256": self.sha256, "source": self.source, "device": self.device.name,
            "seed": self.seed, "chip": self.chip.name, "network_sha256": self.network, "faults": self.faults,
            "dead_rows": int(sum(c.dead_rows.sum() for c in self.cores)),
            "dead_columns": int(sum(c.dead_columns.sum() for c in self.cores)),
        }

    def core_faults(self) -> dict[int, CoreFaults]:
        """What the compiler has to know of each core."""
        return {
            k: CoreFaults(rows=core.dead_rows, columns=core.dead_columns, g_uS=np.where(core.faults, core.g_uS, np.nan))
            for k, core in enumerate(self.cores)
        }

    def conductances(
        self, device: Device, *, time_s: float, temp_C: float = 25.0, causes: frozenset[str] | None = None
    ) -> list[NDArray[np.float64]]:
        """Conductances of every core, ``time_s`` seconds after programming, in uS: see :meth:`CoreCells.at`."""
        causes = frozenset(CAUSES) if causes is None else causes
        return [
            core.at(device, time_s=time_s, temp_C=temp_C, causes=causes, seed=self.seed, core=k, wait_s=self.wait_s)
            for k, core in enumerate(self.cores)
        ]

    def check_network(self, network: Network) -> None:
        """Refuse cells that were programmed for another network.

        Raises InputError, naming the file.
        """
        self.check_chip(network.chip)
        if self.network != network_hash(network):
            raise InputError(
                f"{self.where}: was programmed for another network than this one, "
                f"{network.model.name} on {network.chip.name}; program this one (mho program)"
            )

    def check_chip(self, chip: Chip) -> None:
        """Refuse cells of a chip with other arrays.

        Raises InputError, naming the file, and what differs.
        """
        if self.chip.lines != chip.lines:
            raise InputError(
                f"{self.where}: is of the chip {self.chip.name} with {self.chip.lines} lines, not of {chip.name} with "
                f"{chip.lines} lines"
            )
        for name in _OF_THE_ARRAYS:
            if getattr(self.chip, name) != getattr(chip, name):
                raise InputError(
                    f"{self.where}: is of the chip {self.chip.name}, whose section [{name}] is not that of {chip.name}"
                )

    @property
    def where(self) -> str:
        """What opens a sentence about these cells."""
        return self.file or "cells"

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all.

        Raises InputError if it cannot be written.
        """
        content = {
            "format": FORMAT,
            "chip": self.chip.to_dict(),
            "chip_sha256": self.chip.sha256,
            "network_sha256": self.network,
            "device": self.device.to_dict(),
            "seed": self.seed,
            "source": self.source,
            "wait_s": self.wait_s,
            "cores": len(self.cores),
            "report": dict(self.report),
        }
        arrays = {
            f"core{k}.{f.name}": np.ascontiguousarray(getattr(core, f.name))
            for k, core in enumerate(self.cores)
            for f in fields(core)
        }
        write_archive(Path(path), content, arrays, _KIND)

    @classmethod
    def load(cls, path: str | Path) -> "Cells":
        """Read a file that :meth:`save` wrote.

        Raises InputError if it is missing, cut, altered, of another version, or no such file at all.
        """
        content, arrays = read_archive(Path(path), _KIND)
        if content.get("format") != FORMAT:
            raise InputError(
                f"{path}: has format {content.get('format')!r} of a file of cells; this version reads {FORMAT}"
            )
        content = _CONTENT.read(f"{path}: ", content)
        chip = chip_from_dict(content["chip"], origin=f"{path}: chip")
        whole = chip.macro_config().cell_map.shape
        shapes = dict.fromkeys(_KINDS, whole) | {"dead_rows": whole[:1], "dead_columns": whole[1:]}
        cores = tuple(
            CoreCells(**{n: arrays.take(f"core{k}.{n}", kind, shapes[n], 0, _MOST[kind]) for n, kind in _KINDS.items()})
            for k in range(content["cores"])
        )
        return cls(
            cores=cores, chip=chip, network=content["network_sha256"],
            device=device_from_dict(content["device"], where=f"{path}: device"), seed=content["seed"],
            source=content["source"], wait_s=content["wait_s"], report=content["report"], file=str(path),
        )


def network_hash(network: Network) -> str:
    """Hash of what a network wants its cores to hold: sections of the chip, targets, masks, dead lines."""
    chip = network.chip.to_dict()
    digest = hashlib.sha256(json.dumps({name: chip[name] for name in _OF_THE_ARRAYS}, sort_keys=True).encode())
    for core in network.cores:
        for name in ("targets_uS", "word_lines", "converted_lines", "bl_skip", "sl_skip"):
            digest.update(np.ascontiguousarray(getattr(core, name)).tobytes())
    return digest.hexdigest()
