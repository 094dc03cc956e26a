"""``mho fpga``: cores on boards."""

from dataclasses import asdict
from pathlib import Path

import click

from mho.terminal.console import Output
from mho.terminal.groups import Group
from mho.terminal.options import BOARD, CHIP, chip_option, common_options, example, noise_option, set_option
from mho.terminal.paths import READS, WORD, Writes


@click.group("fpga", cls=Group, epilog=example("mho fpga list"))
def fpga_command() -> None:
    """Put a core on an FPGA board, its array emulated in the memory of the FPGA."""


@fpga_command.command(
    "list", short_help="List the boards, and what is put on each.",
    epilog=example("mho fpga list"),
)
@common_options
def list_command(out: Output) -> None:
    """List the boards: device, the preset of the chip that it holds, its size, clock and serial line.

    Lanes are the cells that meet their input in one cycle. A board is `untested on hardware` until somebody reports
    that it works there; its bitstream is checked without. A board whose file or preset is wrong is left out, with a
    warning that says why.
    """
    from mho.fpga.boards import BOARDS, WRONG
    from mho.fpga.boards.catalogue import reason_of
    from mho.fpga.config import board_config

    headers = ("name", "device", "chip", "lines", "g_bits", "lanes", "clock_hz", "baud", "status")
    rows, wrong = [], {str(path): reason for path, reason in WRONG.items()}
    for name, board in BOARDS.items():
        try:
            cfg = board_config(name)
        except Exception as error:  # a board's file is its author's: anything may be wrong in it
            wrong[name] = reason_of(error)
            continue
        lines, g_bits = cfg.emulator.lines, cfg.emulator.g_bits
        rows.append((
            name, board.device, board.plan.chip, lines, g_bits, cfg.lanes, cfg.clock_hz, cfg.baud, board.status,
        ))
    out.table(headers, rows)
    for where, reason in wrong.items():
        out.warn(f"{where}: {reason}")
    out.json({"boards": [dict(zip(headers, row, strict=True)) for row in rows], "wrong": wrong})


@fpga_command.command("build", epilog=example("mho fpga build icebreaker -o build/icebreaker"))
@click.argument("board", metavar="BOARD", type=BOARD)
@chip_option()
@click.option(
    "-o", "--output", metavar="DIR", type=Writes(folder=("report.json", "*.log")), required=True,
    help="Folder of the bitstream and its report.",
)
@click.option(
    "--tools", default="auto", show_default=True, metavar="auto|native|yowasp", type=WORD,
    help="Those of the system, or those in Python packages; auto: of the system if all are there.",
)
@noise_option
@common_options
def build_command(
    board: str, chip: str | None, overrides: tuple[str, ...], output: str, tools: str, noise: bool, out: Output
) -> None:
    """Make the bitstream of a board.

    --chip defaults to the preset of the board (`mho fpga list`). DIR gets the bitstream, report.json (utilisation,
    greatest frequency, hash, versions of the tools), the netlist after synthesis and the logs. If place and route fails
    it gets their log alone, and the next build begins behind the synthesis, which is kept in the cache. Exit 2
    if the chip does not fit, with what would; exit 1 if a tool is missing or the timing is missed.
    """
    from mho.fpga.boards import find_board
    from mho.fpga.build.build import build
    from mho.hw.config import load_chip

    resolved = load_chip(chip or find_board(board).plan.chip, overrides)
    report = build(board, resolved, folder=Path(output), noise=noise, flow=tools, note=out.note)
    names = {"lut": "LUT", "ff": "flip-flops", "bram": "block RAM", "spram": "SPRAM", "dsp": "multipliers"}
    rows = [
        (names[kind], used, report.available[kind], f"{used / report.available[kind]:.0%}")
        for kind, used in report.used.items() if report.available[kind]
    ]
    out.table(("part", "used", "of", ""), rows)
    out.text()
    out.text(
        f"runs at {report.clock_hz / 1e6:g} MHz, could run at {report.fmax_hz / 1e6:.1f} MHz, a margin of "
        f"{report.margin:.1%} ({report.flow} tools)"
    )
    out.text(f"{report.lanes} cells a cycle")
    out.text(f"{Path(output) / report.bitstream}: {report.bitstream_bytes:,} bytes, SHA-256 {report.bitstream_sha256}")
    if report.status != "works":
        out.warn(f"{board} is {report.status}")
    out.json(asdict(report))


@fpga_command.command(
    "verify", short_help="Compare the netlist of a board with the numpy models.",
    epilog=example("mho fpga verify hx8k-breakout"),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@chip_option()
@click.option("--netlist-only", is_flag=True, help="Only synthesis and the simulation of its netlist: no bitstream.")
@click.option("--built", metavar="DIR", type=READS, help="Folder of mho fpga build: nothing is built again.")
@click.option("--vectors", type=click.IntRange(1, 1000), default=1, show_default=True, help="Vectors an operation.")
@click.option(
    "--tools", default="auto", show_default=True, metavar="auto|native|yowasp", type=WORD,
    help="Those of the system, or those in Python packages; auto: of the system where they are there.",
)
@common_options
def verify_command(
    board: str, chip: str | None, overrides: tuple[str, ...], netlist_only: bool, built: str | None, vectors: int,
    tools: str, out: Output,
) -> None:
    """Make the netlist and the bitstream of a board, and compare what they do with the numpy models.

    The netlist after synthesis is simulated at its serial pins in Verilator: cells are loaded, products run in both
    directions, cells are programmed where the board can, and every code and pulse must be that of the models. On a
    chip of tiles a network of two layers runs, two images a vector, and every value must be.
    Where tools turn a bitstream back to a netlist (iCE40-HX8K), that one is simulated, too. --chip defaults to a core
    of 16 x 16 lines with cells of 4 bits, since a netlist is slow. Exit 1 on a mismatch or missed timing.
    """
    from mho.fpga.evidence.verify import SMALL, verify
    from mho.hw.config import load_chip

    if netlist_only and built is not None:
        raise click.UsageError("--netlist-only and --built exclude each other")
    resolved = load_chip(chip or SMALL[0], (*(() if chip else SMALL[1]), *overrides))
    evidence = verify(
        board, resolved, place=not netlist_only, flow=tools, vectors=vectors,
        built=None if built is None else Path(built), note=out.note,
    )
    what = "values" if resolved.tiled else "codes"
    rows = [("netlist", f"{evidence.netlist.codes:,} {what} of {evidence.netlist.operations:,} products", "equal")]
    if evidence.pulses is not None:
        rows.append(("netlist", f"{evidence.pulses:,} pulses of write-verify", "equal"))
    if evidence.bitstream is not None:
        back = evidence.bitstream
        rows.append(("bitstream", f"{back.codes:,} codes of {back.operations:,} products", "equal"))
    if evidence.build is not None:
        at = f"{evidence.build.fmax_hz / 1e6:.1f} MHz, {evidence.build.clock_hz / 1e6:g} MHz needed"
        rows.append(("placed and routed", at, "met"))
    out.table((f"{evidence.board}, {evidence.chip}", "", ""), rows)
    out.json(evidence.to_dict())


@fpga_command.command(
    "load", short_help="Load a bitstream into a board.",
    epilog=example("mho fpga load ulx3s-85f build/ulx3s/ulx3s-85f.bit"),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@click.argument("file", metavar="FILE", type=READS)
@click.option("--flash", is_flag=True, help="Write it to the flash memory (boards with an iCE40 always do).")
@click.option(
    "--cable", metavar="NAME", type=WORD, help="A JTAG cable of openFPGALoader, in place of the one on the board."
)
@click.option("--remote", metavar="HOST:PORT", type=WORD, help="A remote-bitbang server that has the board.")
@common_options
def load_command(board: str, file: str, flash: bool, cable: str | None, remote: str | None, out: Output) -> None:
    """Load a bitstream into a board, with openFPGALoader.

    FILE must be for the device of the board, and unchanged since `mho fpga build` if its report.json lies beside it.
    Without --flash an ECP5 forgets it when it is switched off. Exit 1 if there is no board, it is another one, or you
    may not use it, with the rule for udev that is missing.
    """
    from mho.fpga.load import load

    if cable is not None and remote is not None:
        raise click.UsageError("--cable and --remote exclude each other")
    report = load(board, Path(file), flash=flash, cable=cable, remote=remote, note=out.note)
    out.text(f"loaded {report.file}, {report.bytes:,} bytes{', into the flash' if report.flash else ''}")
    out.json(asdict(report))


@fpga_command.command(
    "info", short_help="Ask a board what it is.",
    epilog=example("mho fpga info --port /dev/ttyUSB1"),
)
@click.option("--port", metavar="PORT", type=READS, required=True, help="Serial port of the board.")
@click.option("--baud", type=int, metavar="N", help="Rate of that port, if the board has not the usual one.")
@common_options
def info_command(port: str, baud: int | None, out: Output) -> None:
    """Ask a board what it is: core, tiles, emulator, clock, and the chip description that it was built from.

    Where that is the description of a preset, its name is given.
    """
    from mho.fpga.backends import BAUD, connect_board
    from mho.hw.config import load_chip, preset_names
    from mho.sim.board.driver import find_info

    with connect_board(port, BAUD if baud is None else baud) as client:
        info = find_info(client, port)
    preset = next((name for name in preset_names() if load_chip(name).sha256 == info.sha256), None)
    rows = [
        ("chip description", f"{info.sha256[:16]}{f' (preset {preset})' if preset else ''}"),
        ("core", f"{info.lines} x {info.lines} lines, cells of {info.g_bits} bits"),
        ("tiles", f"{info.columns} x {info.rows}" if info.tiled else "none"),
        ("emulator", f"{info.lanes} cells a cycle, {info.slots} tables"
         + ", programs its cells" * info.programs + ", serial core" * info.serial),
        ("read noise", "of a shift register (device lfsr)" if info.noise else "none"),
        ("clock", f"{info.clock_hz / 1e6:g} MHz"),
        ("version of the registers", f"{info.version}.{info.core_version}"),
    ]
    out.table(("", "board"), rows)
    out.json({"port": port, "preset": preset, **asdict(info)})


def _check_link(path: str) -> None:
    from mho.fpga.simulate import check_link

    check_link(Path(path))


@fpga_command.command(
    "simulate", short_help="Simulate a board behind a serial port.",
    epilog=example("mho fpga simulate icebreaker --link /tmp/board"),
)
@click.argument("board", metavar="BOARD", type=BOARD)
@click.option("--chip", metavar="CHIP", type=CHIP, help="Preset or chip file (default: the preset of the board).")
@set_option
@click.option(
    "--link", metavar="PATH", type=Writes(check=_check_link),
    help="Make a symbolic link to the port, a name that stays the same.",
)
@noise_option
@common_options
def simulate_command(
    board: str, chip: str | None, overrides: tuple[str, ...], link: str | None, noise: bool, out: Output
) -> None:
    """Simulate the Verilog of a board, with its serial line at a pseudo-terminal; Ctrl-C ends it.

    The name of the port is printed. mho run --backend fpga --port PORT and mho fpga info --port PORT then do
    what they do with a board, more slowly.
    """
    from mho.fpga.boards import find_board
    from mho.fpga.config import board_config
    from mho.fpga.simulate import BoardTerminal
    from mho.hw.config import load_chip

    resolved = load_chip(chip or find_board(board).plan.chip, overrides)
    cfg = board_config(board, resolved, noise=noise)
    out.note(f"building {board} with {cfg.chip.name}, {cfg.lanes} cells a cycle ...")
    with BoardTerminal(cfg, None if link is None else Path(link)) as terminal:
        name = terminal.path if link is None else link
        out.text(name)
        out.json({"board": board, "chip": cfg.chip.name, "sha256": cfg.chip.sha256, "port": name})
        out.note("serving until Ctrl-C")
        try:
            while True:
                terminal.step()
        except KeyboardInterrupt:
            out.note(f"{terminal.seconds:.3f} s passed for the board")
            raise
