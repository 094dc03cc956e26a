"""The command ``mho``: its table of subcommands and the way in which every failure reaches the user.

A subcommand's module is imported when the subcommand is called, so that help and completion stay fast.
"""

import os
import sys
import tempfile
import traceback
from typing import Any, NoReturn

import click

from macro_models.errors import MhoError
from mho.console import one_sentence
from mho.groups import LazyGroup

__all__ = ["COMMANDS", "PLANNED", "cli", "main", "run"]

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("mho.commands.demo", "The main job on shipped data: real images through the generated Verilog."),
    "doctor": ("mho.commands.doctor", "Say whether this machine is ready, or what is missing."),
    "preset": ("mho.commands.preset", "List and show the shipped chip descriptions."),
    "check": ("mho.commands.preset", "Resolve a chip description and print it with sizes and warnings."),
    "generate": ("mho.commands.generate", "Write Verilog, stubs, registers and tape-out files of a chip."),
    "compile": ("mho.commands.compile", "Quantise an ONNX model and map it to a chip's cores."),
    "run": ("mho.commands.run", "Run a network on a chip with its devices, and say how well it does."),
    "program": ("mho.commands.program", "Program the cells of a network by write-verify, or take measured ones."),
    "verify": ("mho.commands.verify", "Run the generated Verilog of a core or a mesh against its reference."),
    "device": ("mho.commands.device", "List, show and fit device models."),
    "fpga": ("mho.commands.fpga", "Put a core on an FPGA board, its array emulated."),
}
"""Name of a subcommand: its module, where it is the attribute ``NAME_command``, and its line in the help."""

PLANNED: dict[str, str] = {
    "report": "an HTML report of a run",
    "compare": "comparing two runs",
    "sweep": "sweeps over chips and devices",
}
"""Reserved names: they answer that they are planned, and what for."""


class _Cli(LazyGroup):
    lazy = COMMANDS
    planned = PLANNED


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from mho.version import __version__

        click.echo(f"mho {__version__}")
        ctx.exit()


@click.command(
    cls=_Cli,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  mho run model.onnx --chip neurram-core --input x.npy --labels y.npy --time 1d --seeds 10",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """One chip description in; Verilog, co-simulation and a running network out."""


def _fail(sentence: str, code: int) -> int:
    print(f"error: {one_sentence(sentence)}", file=sys.stderr)
    return code


def _report_defect(error: Exception, argv: list[str]) -> int:
    """Keep the traceback of an internal error in a file, and say where."""
    text = "mho " + " ".join(argv) + "\n\n" + "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile("w", prefix="mho-traceback-", suffix=".txt", delete=False) as file:
        file.write(text)
    if "-v" in argv or "--verbose" in argv:
        sys.stderr.write(text)
    return _fail(f"internal error ({type(error).__name__}: {error}), the traceback is in {file.name}", 1)


def _usage_sentence(error: click.ClickException) -> str:
    message = error.format_message()
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    sentence = message[:1].lower() + message[1:] if message[:2].isalpha() else message
    return f"{sentence.rstrip('.')} (see {command or 'mho'} --help)"


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code (see the module)."""
    try:
        result: Any = cli.main(args=argv, prog_name="mho", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except MhoError as error:
        return _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        return _fail(_usage_sentence(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:
        # The reader went away. Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the last line of defence
        return _report_defect(error, argv)


def main() -> NoReturn:
    """Entry point of the console script."""
    # Before numpy is imported: the products are so small that threads of the linear algebra only wait for each other.
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
