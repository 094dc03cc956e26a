"""From a core and a board to a bitstream."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from shutil import copyfile, move

from mho.fpga.boards import Board, BoardDesign, find_board
from mho.fpga.boards.design import VerilogTop
from mho.fpga.build.report import (
    Usage,
    abc_failed,
    check_memory,
    error_line,
    overfull,
    read_usage,
    unroutable,
    what_fits,
)
from mho.fpga.build.tools import LONGER, RELAXED, TILES_APART, TILES_TOGETHER, Toolchain, find_toolchain, tiles_at
from mho.fpga.config import board_config
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig, BoardTop
from mho.hw.config import Chip
from mho.macro_models.errors import InputError, MhoError, ToolError
from mho.macro_models.files.scripts import plain_folder
from mho.macro_models.output import cannot_write, check_folder, write_output
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import GivenUp, run_tool
from mho.sim.build.toolchain import cached_build, hash_files

SEEDS = 3
"""Placements that are tried until one is fast enough."""

LIMIT_S = 3600.0
"""Of one placement: nextpnr tries for ever to route what cannot be routed."""

_NAME = "top"
_PLACED = "place.log"


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What came out of a build; also the content of ``report.json``."""

    board: str
    device: str
    status: str
    """As in :class:`mho.fpga.boards.Board`."""
    chip: str
    chip_sha256: str
    """Name of the chip description, and its hash, by which a board identifies itself."""
    cores: int
    lines: int
    g_bits: int
    lanes: int
    slots: int
    memory: str
    noise: bool
    programs: bool
    serial: bool
    clock_hz: int
    baud: int
    """As in :class:`mho.hw.board.config.BoardConfig`, each core with its lanes."""
    flow: str
    tools: dict[str, str]
    """``native``, ``yowasp`` or ``mixed``; the version of each tool."""
    used: dict[str, int]
    available: dict[str, int]
    """Parts of the device."""
    fmax_hz: int
    """Greatest frequency after routing, by the tools' model of the slowest devices."""
    critical: str
    """From where to where the longest path leads."""
    seed: int
    """Of the placement."""
    bitstream: str
    bitstream_bytes: int
    bitstream_sha256: str
    """Name of the file, its size and its hash."""

    @property
    def margin(self) -> float:
        """How much faster than its clock the design could run, as a part of the clock."""
        return self.fmax_hz / self.clock_hz - 1


def prepare(board: Board, cfg: AnyConfig, folder: Path, *, longer: bool = True) -> None:
    """Write what the tools need for a design: netlist, script, constraints.

    ``longer``: whether ABC looks longer than usual for what is smaller, of tiles.
    """
    if isinstance(cfg, TilesConfig):
        top, options = VerilogTop(cfg), board.tiles_synthesis
        before, after = TILES_APART + LONGER * longer, (*TILES_TOGETHER, *tiles_at(board, cfg))
    else:
        top, before, after, options = BoardTop(cfg), RELAXED, (), board.synthesis
    plan = board.make_platform().prepare(
        BoardDesign(board, top), _NAME, script_after_read="\n".join((*before, *board.script)), synth_opts=options,
        script_after_synth="\n".join((f"write_verilog -noattr {_NAME}_netlist.v", *after)),
    )
    names = {f"{_NAME}.il", f"{_NAME}.ys", f"{_NAME}{board.served.constraints}", VerilogTop.FILE}
    for name in sorted(names & plan.files.keys()):
        content = plan.files[name]
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _place_command(board: Board, cfg: AnyConfig, tool: str, seed: int) -> list[str]:
    files = [part.format(name=_NAME) for part in board.served.place]
    return [
        tool, *board.place, *(board.tiles_place if cfg.cores > 1 else ()),
        "--json", f"{_NAME}{board.served.netlist}", *files, "--seed", str(seed),
        "--timing-allow-fail", "--report", "usage.json",
    ]


def _place(
    board: Board, cfg: AnyConfig, tools: Toolchain, folder: Path, note: Callable[[str], None]
) -> tuple[int, Usage]:
    """Place and route until it is fast enough; the seed and the result."""
    best: Usage | None = None
    log = folder / _PLACED
    for seed in range(1, SEEDS + 1):
        note(f"placing and routing for the {board.device} ..." + f" (seed {seed})" * (seed > 1))
        log.unlink(missing_ok=True)
        command = _place_command(board, cfg, tools.steps[1], seed)
        try:
            status = run_tool(command, folder, log, timeout=LIMIT_S, hopeless=lambda: unroutable(log))
        except GivenUp:
            note("this placement cannot be routed")
            continue
        if status:
            needs = overfull(log)
            if needs:
                raise InputError(
                    f"{cfg.chip.name} is too large for {board.name}: it needs {' and '.join(needs)}; {what_fits(board)}"
                )
            raise ToolError(f"{Path(tools.steps[1]).name} failed: {error_line(log)}")
        usage = read_usage(folder / "usage.json")
        if usage.fmax_hz >= cfg.clock_hz:
            return seed, usage
        if best is None or usage.fmax_hz > best.fmax_hz:
            best = usage
    if best is None:
        raise ToolError(
            f"{cfg.chip.name} fills {board.name} so far that none of {SEEDS} placements can be routed; "
            f"{what_fits(board)}"
        )
    raise ToolError(
        f"{board.name}: timing is missed, the design runs at {best.fmax_hz / 1e6:.1f} MHz and must run at "
        f"{cfg.clock_hz / 1e6:g} MHz; the longest path leads {best.critical}; {what_fits(board)}"
    )


def build(
    board_name: str, chip: Chip | None = None, *, folder: Path, noise: bool = False, flow: str = "auto",
    note: Callable[[str], None] = lambda line: None,
) -> BuildReport:
    """Make a bitstream.

    Raises InputError if the chip does not fit, with what would fit. Raises ToolError if a tool is missing or fails, or
    the timing is missed.

    Parameters
    ----------
    chip
        What is put on it, or None for its preset.
    folder
        For the bitstream, ``report.json``, the netlist after synthesis, the placed design as text, and the logs.
        Made if it does not exist. If place and route fails it gets their log alone; the next build of the same inputs
        begins behind the synthesis, which the cache keeps.
    noise
        Whether it has a shift register for read noise, that of the device ``lfsr``.
    flow
        Of :data:`mho.fpga.build.tools.FLOWS`.
    note
        Called with a line at each step.
    """
    board = find_board(board_name)
    cfg = board_config(board_name, chip, noise=noise)
    check_memory(board, cfg)
    tools = find_toolchain(board, flow)
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with Workspace("fpga", plain_folder(folder.parent)) as work:
            return _build(board, cfg, tools, work, folder, note)
    except OSError as error:
        raise cannot_write(folder, error) from None


def synthesise(
    board_name: str, chip: Chip | None = None, *, folder: Path, flow: str = "auto",
    note: Callable[[str], None] = lambda line: None,
) -> None:
    """Only the netlist, as ``NAME_netlist.v`` in ``folder``, which is made; as :func:`build` in all else.

    Raises InputError or ToolError as in :func:`build`.
    """
    board = find_board(board_name)
    cfg = board_config(board_name, chip)
    check_memory(board, cfg)
    tools = find_toolchain(board, flow)
    folder.mkdir(parents=True, exist_ok=True)
    with Workspace("fpga", plain_folder(folder.parent)) as work:
        _synthesise(board, cfg, tools, work, note)
        move(work / f"{_NAME}_netlist.v", folder / f"{board.name}_netlist.v")


def _build(
    board: Board, cfg: AnyConfig, tools: Toolchain, work: Path, folder: Path, note: Callable[[str], None]
) -> BuildReport:
    _synthesise(board, cfg, tools, work, note)
    try:
        seed, usage = _place(board, cfg, tools, work, note)
    except MhoError:
        if (work / _PLACED).exists():
            folder.mkdir(exist_ok=True)
            write_output(folder / _PLACED, (work / _PLACED).read_bytes())
        note("the synthesis is kept, another try begins behind it")
        raise
    note("packing the bitstream ...")
    pack = [tools.steps[2], *board.pack, *(part.format(name=_NAME) for part in board.served.pack)]
    if run_tool(pack, work, work / "pack.log"):
        raise ToolError(f"{Path(tools.steps[2]).name} failed: {error_line(work / 'pack.log')}")
    report = _report(board, cfg, tools, seed, usage, (work / f"{_NAME}{board.served.bitstream}").read_bytes())
    (work / "report.json").write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    _deliver(board, work, folder)
    return report


def _synthesise(board: Board, cfg: AnyConfig, tools: Toolchain, work: Path, note: Callable[[str], None]) -> None:
    """Make the netlist, or take that of the same inputs from the cache."""
    note(
        f"writing {cfg.chip.name}, {f'{cfg.cores} tiles of ' if cfg.cores > 1 else ''}{cfg.emulator.lines} lines of "
        f"{cfg.emulator.g_bits}-bit cells, for {board.title} ..."
    )
    command, log = [tools.steps[0], "-q", "-l", "synthesis.log", f"{_NAME}.ys"], work / "yosys.log"
    names = (f"{_NAME}{board.served.netlist}", f"{_NAME}_netlist.v", "synthesis.log")
    prepare(board, cfg, work)

    def run(folder: Path) -> None:
        note(f"synthesis ({tools.flow} tools) ...")
        status = run_tool(command, work, log)
        if status and isinstance(cfg, TilesConfig) and abc_failed(log):
            note("ABC fails with the script that looks longest; once more with its usual one ...")
            prepare(board, cfg, work, longer=False)
            log.unlink()
            status = run_tool(command, work, log)
        if status:
            raise ToolError(f"{Path(tools.steps[0]).name} failed: {error_line(log)}")
        for name in names:
            copyfile(work / name, folder / name)

    inputs = hash_files(path for path in work.iterdir() if path.is_file() and not path.name.startswith("."))
    made = cached_build("synthesis", [inputs, tools.version("yosys")], run, what="")
    for name in names:
        copyfile(made / name, work / name)


def _report(board: Board, cfg: AnyConfig, tools: Toolchain, seed: int, usage: Usage, bitstream: bytes) -> BuildReport:
    emulator = cfg.emulator
    return BuildReport(
        board=board.name, device=board.device, status=board.status, chip=cfg.chip.name, chip_sha256=cfg.chip.sha256,
        cores=cfg.cores, lines=emulator.lines, g_bits=emulator.g_bits, lanes=emulator.lanes, slots=emulator.slots,
        memory=emulator.memory, noise=emulator.noise, programs=cfg.programs, serial=cfg.serial,
        clock_hz=cfg.clock_hz, baud=cfg.baud, flow=tools.flow,
        tools={**tools.versions(), "amaranth": version("amaranth")},
        used=usage.used, available=usage.available, fmax_hz=int(usage.fmax_hz), critical=usage.critical, seed=seed,
        bitstream=f"{board.name}{board.served.bitstream}", bitstream_bytes=len(bitstream),
        bitstream_sha256=hashlib.sha256(bitstream).hexdigest(),
    )


def _deliver(board: Board, work: Path, folder: Path) -> None:
    """Move what is kept to where it belongs, the report last."""
    folder.mkdir(exist_ok=True)
    family = board.served
    names = {
        f"{_NAME}_netlist.v": f"{board.name}_netlist.v", f"{_NAME}{family.placed}": f"{board.name}{family.placed}",
        f"{_NAME}{family.constraints}": f"{board.name}{family.constraints}",
        "synthesis.log": "synthesis.log", _PLACED: _PLACED,
        f"{_NAME}{family.bitstream}": f"{board.name}{family.bitstream}", "report.json": "report.json",
    }
    for name, target in names.items():
        move(work / name, folder / target)
