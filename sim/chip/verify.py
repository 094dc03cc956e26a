"""The bench of ``mho verify chip``: programs run on tiles while a host reads and writes, and cells are programmed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mho.hw.chip.map import ChipParts, tile_name
from mho.hw.config import Chip
from mho.hw.host.core.write_map import RESULT_VALID, WORD_FLAG
from mho.hw.host.registers import register_word
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.kinds import macro_texts_of
from mho.sim.chip.programs import Programs, programs_of
from mho.sim.chip.simulation import ChipBus, ChipSimulation
from mho.sim.chip.traffic import IDLE, Expected, Traffic, idle_tile
from mho.sim.core.commands import commands_of
from mho.sim.tile_networks.codes import TileCore

HOSTS = {"none": "register bus", "axil": "AXI4-Lite", "wishbone": "Wishbone"}
"""What a host may be at: a bus by its wrap, and what it is called."""

SHORT = 5000
"""Accesses up to which an optimised simulator takes longer to be built than it saves."""

_AT_ONCE = 500
_PATIENCE = 2000
_TOLERANCE = 4


@dataclass(frozen=True, kw_only=True)
class ChipReport:
    """What was run and found right."""

    columns: int
    rows: int
    lines: int
    """The mesh, and the cores."""
    accesses: int
    errors: int
    """Random accesses of the host beside the programs, and those that had to be errors."""
    images: int
    """Images that the programs made meanwhile."""
    cells: int
    """Cells that write-verify programmed through the host."""
    cycles: int
    """Clock cycles."""
    host: str = "register bus"
    """The bus or line at which the host was."""
    commands: Mapping[str, int] = field(default_factory=dict)
    """Commands that the host gave to the core of a tile without a program, by name."""

    @classmethod
    def of(cls, parts: ChipParts, **counts: Any) -> "ChipReport":
        """What was found on a chip."""
        return cls(columns=parts.mesh.columns, rows=parts.mesh.rows, lines=parts.core.cfg.lines, **counts)

    def __str__(self) -> str:
        alone = self.columns * self.rows == 1
        beside, through = ("its program", "the program") if alone else ("two programs", "both programs")
        lines = [
            f"chip of {self.columns} x {self.rows} tile{'' if alone else 's'} of {self.lines} lines, "
            f"host at its {self.host}, {self.cycles} cycles:",
            f"  {self.accesses} random accesses of the host beside {beside}, {self.errors} of them errors as they "
            "must be: none lost, reordered or doubled",
            f"  {self.images} images through {through}, the last one right",
        ]
        if self.cells:
            lines.append(f"  {self.cells} cells programmed by write-verify through the host")
        if self.commands:
            listed = ", ".join(f"{count} {name}" for name, count in self.commands.items())
            lines.append(f"  commands of the host to the core of a tile, none beside a program: {listed}")
        return "\n".join(lines)


def verify_chip(
    chip: Chip, *, wrap: str = "none", accesses: int = 20_000, seed: int = 0,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> ChipReport:
    """Run programs, random accesses and write-verify on the Verilog of a chip.

    Raises InputError if the chip has other tiles. Raises ToolError if anything is not as expected, or a tool is missing
    or fails.

    Parameters
    ----------
    chip
        A chip of at least three tiles, or of one.
    wrap
        What the host is at: one of :data:`HOSTS`; masters of buses pause at random.
    accesses
        Random accesses.
    seed
        Of all that is random.
    progress
        Called with the accesses that are done, and all.
    """
    parts = require_tiles(chip)
    bus = ChipSimulation(chip, wrap, short=accesses <= SHORT)
    try:
        errors, images = run_programs(bus, programs_of(chip), accesses, seed=seed, progress=progress)
        cells = check_cells(bus, parts, seed=seed) if parts.core.programs else 0
        commands = check_commands(bus, chip, seed=seed)
        return ChipReport.of(
            parts, host=HOSTS[wrap], accesses=accesses, errors=errors, images=images, cells=cells, cycles=bus.cycles,
            commands=commands,
        )
    finally:
        bus.close()


def require_tiles(chip: Chip) -> ChipParts:
    """Parts of a chip.

    Raises InputError if it has too few tiles for two programs and one tile without, and is not one that runs its
    program.
    """
    if chip.cores <= IDLE and not (chip.tiled and chip.cores == 1):
        raise InputError(f"{chip.name}: mesh must have at least {IDLE + 1} tiles for this, or one with tile.programs, "
                         f"not {chip.cores}")
    return ChipParts.from_chip(chip)


def run_programs(
    bus: ChipBus, programs: Programs, accesses: int, *, seed: int = 0,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> tuple[int, int]:
    """Programs, random accesses beside them, and the end of the programs.

    Raises ToolError if anything is not as expected.

    Returns
    -------
    tuple
        Accesses that had to be errors; images that were made.
    """
    start_programs(bus, programs)
    errors = with_traffic(bus, programs.parts, accesses, seed=seed, progress=progress, counted=programs.counted)
    check_refused(bus, programs.parts)
    return errors, check_programs(bus, programs)


def _demand(bus: ChipBus, accesses: Iterable[Expected]) -> list[int]:
    """Words of accesses that must be answered as expected."""
    expected = list(accesses)
    answers = bus.answer(expected)
    for access, (error, word) in zip(expected, answers, strict=True):
        if wrong := access.check(error, word):
            raise ToolError(wrong)
    return [word for _, word in answers]


def _write(address: int, word: int) -> Expected:
    return Expected(address, word, 15, False, None)


def _read(address: int, word: int | None = None) -> Expected:
    return Expected(address, None, 15, False, word)


def start_programs(bus: ChipBus, programs: Programs) -> None:
    """Load the programs and start them."""
    _demand(bus, (_write(address, word) for address, word in programs.writes()))


def with_traffic(
    bus: ChipBus, parts: ChipParts, accesses: int, *, seed: int = 0,
    progress: Callable[[int, int], object] = lambda *_: None, counted: int = 0,
) -> int:
    """Random accesses and their checks; how many had to be errors. ``counted`` as at :class:`Traffic`."""
    traffic, errors, done = Traffic(parts, seed, counted=counted), 0, 0
    while done < accesses:
        several = [traffic.draw() for _ in range(min(_AT_ONCE, accesses - done))]
        _demand(bus, several)
        errors += sum(access.error for access in several)
        done += len(several)
        progress(done, accesses)
    _demand(bus, traffic.last())
    return errors


def check_refused(bus: ChipBus, parts: ChipParts) -> None:
    """A host that asks the core of a tile for an operation while a program runs there is told so, and nothing else."""
    if "output" not in {window.name for window in parts.registers.windows}:
        return
    name = tile_name(parts.mesh, 0)
    control, status = (parts.address_map.address(f"{name}_core", entry) for entry in ("control", "status"))
    flags = ("ready", "done", "error", "overrun")
    bits = {flag: register_word(parts.registers, "status", **{flag: 1}) for flag in flags}
    start = register_word(parts.registers, "control", start=1)
    _, word = _demand(bus, [_write(control, start), _read(status)])
    if word & sum(bits.values()) != bits["overrun"]:
        raise ToolError(f"a core whose tile runs a program must refuse an operation of the host, and its status is "
                        f"{word:#x}")
    _demand(bus, [_write(status, bits["overrun"])])


def check_commands(bus: ChipSimulation, chip: Chip, *, seed: int = 0) -> Mapping[str, int]:
    """Random commands to the core of a tile that runs no program, against their reference; how many, by name."""
    commands, macro = commands_of(chip), macro_texts_of(chip).commanded
    if commands is None or macro is None:
        return {}
    node = idle_tile(ChipParts.from_chip(chip).mesh)
    return commands.check_ideal(chip, TileCore(bus, chip, node), node, macro(chip), seed)


def check_programs(bus: ChipBus, programs: Programs) -> int:
    """Stop the first program, and compare what all have made; the number of images."""
    map, mesh = programs.parts.address_map, programs.parts.mesh
    first = map[tile_name(mesh, 0)].base
    _demand(bus, [_write(first, 4)])
    for _ in range(_PATIENCE):
        if not _demand(bus, [_read(first)])[0] & 0b11:
            break
    else:
        raise ToolError("the first program must end where its host wants it to, its engines too")
    (images,) = _demand(bus, [_read(first + 28)])
    for result in programs.made(images):
        # Only the first program has ended: others may still be at its last image.
        at = map[tile_name(mesh, result.node)].base + result.at
        _compare(bus, at, result.data, result.what, patience=_PATIENCE if result.node else 1)
    return images


def _compare(bus: ChipBus, address: int, expected: bytes, what: str, patience: int = 1) -> None:
    memory = b""
    for _ in range(patience):
        words = _demand(bus, [_read(address + k) for k in range(0, len(expected), 4)])
        memory = b"".join(word.to_bytes(4, "little") for word in words)
        if memory == expected:
            return
    raise ToolError(f"the {what} must be {expected.hex()}, not {memory.hex()}")


def check_cells(bus: ChipBus, parts: ChipParts, *, seed: int = 0) -> int:
    """Program all cells of a tile that runs no program to random codes, one pass; how many there are."""
    map = parts.address_map
    name = f"{tile_name(parts.mesh, idle_tile(parts.mesh))}_core"

    def at(entry: str) -> int:
        return map.address(name, entry)

    ramp = 2 * _TOLERANCE | 2 * _TOLERANCE << 16  # all pulses of one amplitude
    _demand(bus, [
        _write(at("write_run"), _TOLERANCE | 1 << 15), _write(at("write_limits"), 255 | 255 << 8 | 400 << 16),
        *(_write(at(f"{kind}_ramp"), ramp) for kind in ("set", "reset", "form")),
        *(_write(at(f"{kind}_width"), 2) for kind in ("set", "reset", "form")),
        _write(at("write_wait"), 0), _write(at("write_status"), 0b1110), _write(at("write_control"), 1),
    ])
    targets = np.random.default_rng([seed, 1]).integers(0, 200, parts.core.cfg.rows * parts.core.cfg.columns).tolist()
    results: list[int] = []
    sent = 0
    for _ in range(_PATIENCE * len(targets)):
        levels, state = _demand(bus, [_read(at("write_levels")), _read(at("write_status"))])
        if state & 0b1100:
            raise ToolError(f"write-verify must run, and its status is {state:#x}")
        room, waiting = levels & 0x7F, levels >> 7 & 0x7F
        batch = targets[sent : sent + room]
        _demand(bus, [_write(at("targets"), target) for target in batch])
        sent += len(batch)
        results += _demand(bus, [_read(at("results"))] * waiting)
        if len(results) == len(targets):
            break
    else:
        raise ToolError(f"write-verify must end, and has given {len(results)} of {len(targets)} results")
    for target, result in zip(targets, results, strict=True):
        code = result & 0xFFF
        if not result >> RESULT_VALID & 1 or result >> WORD_FLAG & 1 or abs(code - target) > _TOLERANCE:
            raise ToolError(f"write-verify must bring a cell to {target}, and its result is {result:#x}")
    for row in range(parts.core.cfg.lines):
        _demand(bus, [_write(at("fault_row"), row), _read(at("faults"), 0)])
    (status,) = _demand(bus, [_read(at("write_status"))])
    if status & 0b1111 != 0b0010:
        raise ToolError(f"write-verify must be done, and its status is {status:#x}")
    return len(targets)
