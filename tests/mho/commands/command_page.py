"""The page ``docs/reference/command.md``: ``python -m tests.mho.commands.command_page`` writes it, in a clone."""

from inspect import cleandoc
from pathlib import Path

import click

from mho import cli

__all__ = ["TWINS", "commands", "page"]

_HEAD = """\
# The command

<!-- Written by `python -m tests.mho.commands.command_page`; a test compares it with the commands. -->

The positional argument is what a command works on. These options mean the same everywhere:

| option | |
|---|---|
| `--set KEY=VALUE` | Change one key of the chip, as in adc.bits=6 (repeatable). |
| `--json FILE\\|-` | Write the result as JSON, - for stdout. |
| `-q, --quiet` | No progress and no warnings on stderr. |
| `-v, --verbose` | Details on stderr. |
| `--help` | What a command does and takes. |

Results go to stdout, progress and warnings to stderr; both are plain text without a terminal or with `NO_COLOR` set.
With `--json -` the JSON takes the place of the text on stdout.

| exit code | meaning |
|---|---|
| 0 | all done |
| 1 | it ran and failed: a mismatch, a crashed tool, a full disk; or an internal error, with a traceback in a file |
| 2 | the input is wrong: one sentence says what, where, and what would be right; nothing is written |
| 130 | interrupted, by Ctrl-C, SIGTERM or SIGHUP |

Before a command works, each of its outputs is compared with its inputs and its other outputs: two names of one file are
refused. Outputs are written whole or not at all. Only regular files are replaced, a symbolic link stays and its target
is written; devices and FIFOs are written through. Control characters are shown as escapes.

A chip is the name of a preset or a TOML file ([keys](chip.md)), a device the name of a shipped device or a TOML file.
A shell completes commands, presets, devices, backends, boards, files and keys (`--set adc.<TAB>`) after
`eval "$(_MHO_COMPLETE=bash_source mho)"` (`zsh_source` in Zsh; in fish `_MHO_COMPLETE=fish_source mho | source`), which
is best put into its start file.

Arrays are `.npy` files or `FILE.npz:KEY`. Builds of the simulator are kept in `~/.cache/mho` (`MHO_CACHE`).
"""


TWINS = {
    "demo": "mho.demo.study.study", "doctor": "mho.commands.doctor.inspect", "preset": "mho.presets",
    "check": "mho.check",
    "generate": "mho.Chip.generate", "harden": "mho.Chip.harden", "compile": "mho.compile", "run": "mho.Net.run",
    "compare": "mho.compare",
    "sweep": "mho.sweep", "report": "mho.report", "program": "mho.Net.program",
    "verify": "mho.sim.core.bench.verify.verify_core",
    "device": "mho.devices", "device fit": "mho.fit", "device tune": "mho.tune_crossbar", "device drive": "mho.drive",
    "export": "mho.Net.export", "asm": "mho.assemble",
    "disasm": "mho.disassemble", "tiles": "mho.run_tiles", "sampler": "mho.sampler.sample", "fpga": "mho.boards",
}
"""What does in Python what a command does."""


_SET = ("--set KEY=VALUE", "Change one key of the chip, as in adc.bits=6 (repeatable).")
"""Told once, at the head of the page, as are `--json`, `-q` and `-v`."""


def commands() -> list[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them."""
    by_name = []
    for name in cli.COMMANDS:
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        by_name.append((name, command))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                part = command.get_command(context, child)
                assert part is not None
                by_name.append((f"{name} {child}", part))
    return by_name


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD, "\n| command | in Python |\n|---|---|\n"]
    for name, twin in TWINS.items():
        parts.append(f"| [`mho {name}`](#mho-{name.replace(' ', '-')}) | [`{twin}`](api.md) |\n")
    parts += [_section(name, command) for name, command in commands()]
    return "".join(parts)


def _section(name: str, command: click.Command) -> str:
    ctx = click.Context(command, info_name=f"mho {name}")
    usage = " ".join(command.collect_usage_pieces(ctx))
    level, group = "##" if " " not in name else "###", isinstance(command, click.Group)
    text = cleandoc(command.help or "")
    lines = [f"\n{level} mho {name}\n"]
    if not group and usage != "[OPTIONS]":
        lines.append(f"`mho {name} {usage}`\n")
    lines.append(f"{text}\n")
    rows = [param.get_help_record(ctx) for param in command.params if isinstance(param, click.Option)]
    everywhere = ("--json", "--quiet", "--verbose")
    shown = [row for row in rows if row is not None and not any(name in row[0] for name in everywhere)
             and row != _SET]
    if shown:
        lines += [f"* `{option}`: {text}" for option, text in shown]
        lines.append("")
    epilog = (command.epilog or "").replace("\b\nExample:\n", "")
    example = "\n".join(line.strip() for line in epilog.splitlines())
    if not group:
        lines.append(f"```\n{example}\n```\n")
    return "\n".join(lines)


if __name__ == "__main__":
    target = Path(__file__).parents[3] / "docs" / "reference" / "command.md"
    target.write_text(page(), encoding="utf-8")
