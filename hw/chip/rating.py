"""Figures of a chip whose cores are all busy, by the definitions of the field: 1 MAC is 2 operations.

Throughput and efficiency are of the macros: all lines take part, converters make all their steps, and nothing waits.
A figure stands beside the signal-to-noise ratio of its codes, which tells more than their bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mho.hw.chip.map import address_width
from mho.hw.config import TILE_FLITS, Chip
from mho.hw.kinds import energy, timing
from mho.hw.noc.config import MeshConfig
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import ACCUMULATORS, DESCRIPTOR_WORDS, TABLE_ENTRIES, TABLES
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.precision import signal_to_noise_dB

OPERATIONS_PER_MAC = 2


@dataclass(frozen=True, kw_only=True)
class Rating:
    """Figures at one precision."""

    precision: str
    """In words."""
    snr_dB: float
    """Signal over noise of its codes without any error of cells and converters: what their bits are worth."""
    time_us: float
    """Of one operation of a core, from start to earliest start of the next."""
    tops: float
    """Throughput of all cores, in 10**12 operations a second."""
    energy_pJ: Mapping[str, float]
    """Of one operation of a macro by what takes it; empty if the description knows none."""
    tops_per_W: float | None
    tops_per_mm2: float | None
    """Per watt of the macros, and per area of them; None if the description does not say."""

    @property
    def total_pJ(self) -> float:
        """All that the description knows, of one operation of a macro."""
        return sum(self.energy_pJ.values())


def rate(chip: Chip, precision: str, op: MvmOperation) -> Rating:
    """Figures of a chip for one operation on all of its lines, in the worst case of time."""
    config = chip.macro_config()
    cell_map = config.cell_map
    macs = cell_map.rows * cell_map.columns
    operations = OPERATIONS_PER_MAC * macs * chip.cores
    durations = timing(chip)
    time_us = durations.worst_cycles(op) / chip.clock.f_clk_MHz
    tops, model = operations / time_us / 1e6, energy(chip)
    masks = Masks.reset(*cell_map.shape)
    figures = {} if model is None else model.operation(op, masks, durations.worst_steps(op))
    energies = {name: float(value) for name, value in figures.items()}
    total = sum(energies.values())
    return Rating(
        precision=precision, snr_dB=signal_to_noise_dB(config, op, chip.cells.g_min_uS, chip.cells.g_max_uS),
        time_us=time_us, tops=tops, energy_pJ=energies,
        tops_per_W=OPERATIONS_PER_MAC * macs / total if total else None,
        tops_per_mm2=tops / (chip.area.total_mm2 * chip.cores) if chip.area.total_mm2 else None,
    )


def rating_rows(chip: Chip) -> list[tuple[str, str]]:
    """Figures at the precisions of the chip's kind: pairs of a name and values with their units.

    Then what has been extrapolated to this chip, and why.
    """
    rows = []
    for precision, op in chip.rated_operations():
        rating = rate(chip, precision, op)
        parts = [f"{rating.time_us:.4g} us a product", f"{rating.tops:.3g} TOPS", f"{rating.snr_dB:.3g} dB"]
        parts += [] if rating.tops_per_W is None else [f"{rating.tops_per_W:.3g} TOPS/W"]
        parts += [] if rating.tops_per_mm2 is None else [f"{rating.tops_per_mm2:.3g} TOPS/mm2"]
        rows.append((precision, ", ".join(parts) + " (macros)"))
    stated = {"energy": bool(chip.energy.known), "area": bool(chip.area.known)}
    return rows + [
        (f"{name}, extrapolated", getattr(chip, name).extrapolated) for name, section in stated.items()
        if section and getattr(chip, name).extrapolated
    ]


_NAMED = 3
"""Tiles of a kind that are all named."""


def tile_sizes(chip: Chip) -> list[tuple[str, str]]:
    """Pairs of a name and a value with its unit; none for a chip that has no tiles."""
    if not chip.tiled or chip.mesh.payload_bits not in TILE_FLITS:
        return []
    mesh, kinds = MeshConfig.from_chip(chip), dict[TileConfig, list[str]]()
    for name, cfg in TileConfig.of_tiles(chip).items():
        kinds.setdefault(cfg, []).append(name)
    total = sum(_kib(cfg) * len(names) for cfg, names in kinds.items())
    memories = ", ".join(dict.fromkeys(f"{_kib(cfg):g}" for cfg in kinds))
    first = next(iter(kinds))
    alike = "all alike" if len(kinds) == 1 else f"of {len(kinds)} kinds"
    lanes = " or ".join(dict.fromkeys(str(cfg.lanes) for cfg in kinds))
    common = f"{first.lines} lines, {lanes} lanes, flits of {first.payload_bits} bits"
    rows = [("tiles", f"{chip.cores}, {alike}: {common}")]
    for cfg, names in kinds.items():
        places = " ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} more"
        where = "a tile" if len(kinds) == 1 else f"tile {places}"
        if len(kinds) > 1:
            rows.append((f"lanes of {where}", str(cfg.lanes)))
        rows += [(f"{name} of {where}", text) for name, (_, text) in _memories(cfg).items()
                  if cfg is first or text != _memories(first)[name][1]]
    return [
        *rows, ("memory", f"{memories} KiB a tile, {total:g} KiB in all, without queues"),
        ("addresses", f"{1 << address_width(mesh):#x} bytes, {address_width(mesh)} bits"),
    ]


def _kib(cfg: TileConfig) -> float:
    return sum(bits for bits, _ in _memories(cfg).values()) / 8192


def _memories(cfg: TileConfig) -> dict[str, tuple[int, str]]:
    """Bits and words of the memories of a tile, by name."""
    return {
        "buffer": (8 * cfg.buffer_bytes, f"{cfg.buffer_kib} KiB"),
        "program": (32 * cfg.instructions, f"{cfg.instructions} instructions of 32 bits"),
        "descriptors": (32 * DESCRIPTOR_WORDS, f"{DESCRIPTOR_WORDS} words of 32 bits"),
        "parameters": (64 * cfg.parameters, f"{cfg.parameters} of 64 bits"),
        "tables": (16 * TABLES * TABLE_ENTRIES, f"{TABLES} of {TABLE_ENTRIES} entries of 16 bits"),
        "accumulators": (32 * ACCUMULATORS, f"{ACCUMULATORS} of 32 bits"),
    }
