"""What calibration found, as a network keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mho.compiler.calibration.outputs import OutputError
from mho.compiler.mapping.redundancy import Redundancy
from mho.hw.config import Chip
from mho.macro_models import family
from mho.macro_models.devices.device import Device


@dataclass(frozen=True, kw_only=True)
class Converters:
    """Registers that the converters of chip number ``seed`` found for themselves, of each core."""

    seed: int
    cores: tuple[Mapping[str, Any], ...]


def converters_of(chip: Chip, device: Device, cores: int) -> Converters | None:
    """Those of so many cores; None where a kind has none.

    Another chip calibrates its own converters when it is programmed.
    """
    make = family(chip.core.kind).converters
    if make is None or not device.converter.spread:
        return None
    config = chip.macro_config()
    return Converters(seed=0, cores=tuple(make(config, device, 0, core) for core in range(cores)))


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Facts about the calibration of a network; lists have an entry for each layer."""

    samples: int
    sha256: str
    time_s: float
    """Inputs that were used, the hash of all that were given, and the time since programming, in seconds."""
    errors: tuple[float, ...]
    cycles: tuple[float, ...]
    """Error relative to the standard deviation of the layer's output, and analog cycles of an image in the mean."""
    slices: tuple[int, ...]
    slice_bits: tuple[int, ...]
    """Sets of cells of a weight, and by how many bits one counts more than the next, 0 where there is one."""
    clipped: tuple[float | None, ...]
    """Share of a layer's inputs beyond what its codes reach; None where an old file does not say it."""
    outputs: tuple[OutputError, ...] = ()
    warnings: tuple[str, ...] = ()
    """Errors of the network's outputs, and sentences."""
    cores_least: int | None = None
    cores_bound: int | None = None
    """Cores that would do, and below how many nothing does; None where an old file does not say it."""
    redundancy: Redundancy | None = None
    """What more cells for each weight do; None where nothing was asked for."""
    converters: Converters | None = None
    """What converters found for themselves; None where a kind has no such converters."""
    cells: Mapping[str, Any] | None = None
    """Where the cells came from for which it was compiled: file, seed, faults and dead lines. None without."""
    hop_bytes: tuple[int, int] | None = None
    """Bytes of an image times hops on the mesh before and after cores were placed; None where they stay."""
    tile_cycles: Mapping[str, Any] | None = None
    """What is predicted of tiles, as of :meth:`mho.compiler.tile.pipelined.Programmed.facts`; None without."""
