"""The command ``mho``: its table of subcommands and the way in which every failure reaches the user.

A subcommand's module is imported when the subcommand is called, so that help and completion stay fast.
"""

import errno
import re
import sys
import tempfile
import traceback

import click

from mho.macro_models.errors import MhoError, one_sentence
from mho.terminal import interrupt
from mho.terminal.console import say
from mho.terminal.groups import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("mho.commands.demo", "The main job on shipped data: real images through the generated Verilog."),
    "doctor": ("mho.commands.doctor", "Say whether this machine is ready, or what is missing."),
    "preset": ("mho.commands.chip", "List and show the shipped chip descriptions."),
    "check": ("mho.commands.chip", "Resolve a chip description and print it with sizes and warnings."),
    "generate": ("mho.commands.chip", "Write Verilog, stubs, registers and tape-out files of a chip."),
    "harden": ("mho.commands.harden", "Make a layout of a chip's core or tile in an open process, and check it."),
    "compile": ("mho.commands.compile.command", "Quantise an ONNX model and map it to a chip's cores."),
    "run": ("mho.commands.run.command", "Run a network on a chip with its devices, and say how well it does."),
    "compare": ("mho.commands.results", "Set runs, chips or devices side by side: what differs, and by how much."),
    "sweep": ("mho.commands.results", "Run chips, devices, networks, seeds, times: all combinations, or the best."),
    "report": ("mho.commands.results", "One page of runs: what limits accuracy, time and energy."),
    "program": ("mho.commands.program", "Program the cells of a network by write-verify, or take measured ones."),
    "verify": ("mho.commands.verify", "Run the generated Verilog of a core or a mesh against its reference."),
    "device": ("mho.commands.device.group", "List, show and fit device models."),
    "export": ("mho.commands.tiles", "Write what a host needs to run a network: C arrays, a driver, data."),
    "asm": ("mho.commands.asm", "Assemble a tile's program, or refuse it with its line."),
    "disasm": ("mho.commands.asm", "Write a tile's program as text."),
    "tiles": ("mho.commands.tiles", "Run programs of tiles that were written by hand, on any backend."),
    "sampler": ("mho.commands.sampler", "Sample spins, or minimise their energy, on transposable cores."),
    "fpga": ("mho.commands.fpga", "Put a core on an FPGA board, its array emulated."),
}
"""Name of a subcommand: its module, where it is the attribute ``NAME_command``, and its line in the help."""


class _Cli(LazyGroup):
    lazy = COMMANDS


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from mho.version import __version__

        click.echo(f"mho {__version__}")
        ctx.exit()


@click.command(
    cls=_Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  mho run model.onnx --chip neurram-core --input x.npy --labels y.npy --time 1d --seeds 10"
    "\n\n\b\nTo complete names and keys by <TAB>, once in a shell, or in its start file (bash_source or zsh_source):\n"
    '  eval "$(_MHO_COMPLETE=bash_source mho)"',
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """One chip description in; Verilog, co-simulation and a running network out."""


def _fail(sentence: object, code: int) -> int:
    say(sys.stderr, f"error: {one_sentence(sentence)}")
    return code


def _report_defect(error: Exception, argv: list[str]) -> int:
    """Keep the traceback of an internal error in a file, and say where."""
    text = "mho " + " ".join(argv) + "\n\n" + "".join(traceback.format_exception(error))
    if "-v" in argv or "--verbose" in argv:
        say(sys.stderr, text)
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="mho-traceback-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(text)
        where = f"the traceback is in {file.name}"
    except OSError as full:
        where = f"-v shows the traceback, which cannot be written ({full.strerror})"
    return _fail(f"internal error ({one_sentence(f'{type(error).__name__}: {error}')}), {where}", 1)


def _usage_sentence(error: click.ClickException) -> str:
    message = error.format_message()
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    sentence = message[:1].lower() + message[1:] if message[:2].isalpha() else message
    return f"{sentence.rstrip('.')} (see {command or 'mho'} --help)"


_OF_THE_SYSTEM = (
    errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENAMETOOLONG, errno.ENFILE, errno.ENOMEM,
    errno.ENOSPC, errno.EPERM, errno.EROFS,
)
"""What the machine refuses, with a sentence of its own, and is no defect."""


_NO_MEMORY = re.compile(r"failed to map segment|cannot allocate memory|can't start new thread", re.IGNORECASE)
"""What libraries say that were not loaded for want of memory, and of threads."""


def _of_the_system(error: BaseException) -> str:
    """The sentence of what the machine refused, a file or memory, where that is behind an error; else nothing."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, MemoryError) or _NO_MEMORY.search(str(link)):
            return "there is not enough memory"
        if isinstance(link, OSError) and link.errno in _OF_THE_SYSTEM:
            return f"{'' if link.filename is None else f'{link.filename}: '}{link.strerror}"
        link = link.__cause__ or link.__context__
    return ""


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code (see the module)."""
    try:
        return _run(argv)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", interrupt.delivered())
    except Exception as error:
        if interrupt.interrupted():  # what it became on its way through foreign code
            return _fail("interrupted", interrupt.delivered())
        return _failure(error, argv)


def _run(argv: list[str]) -> int:
    result: object = cli.main(args=argv, prog_name="mho", standalone_mode=False)
    sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _failure(error: Exception, argv: list[str]) -> int:
    match error:
        case MhoError():
            return _fail(error, error.exit_code)
        case click.exceptions.NoArgsIsHelpError():
            say(sys.stderr, error.format_message())
            return 2
        case click.ClickException():
            return _fail(_usage_sentence(error), error.exit_code)
        case MemoryError():
            return _fail(f"there is not enough memory{f' ({error})' if str(error) else ''}", 1)
        case RecursionError():
            return _fail("what was given is nested too deeply", 1)
        case BrokenPipeError():  # the reader went away, which is no error of ours
            return 1
        case _ if sentence := _of_the_system(error):
            return _fail(sentence, 1)
        case _:  # the last line of defence
            return _report_defect(error, argv)
