"""Groups of subcommands that answer an unknown name with one sentence."""

from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from mho.macro_models.errors import nearest


def _no_such(name: str, commands: Sequence[str]) -> click.UsageError:
    near = nearest(name, commands)
    hint = f", did you mean {near}?" if near else f"; there are {', '.join(commands)}"
    return click.UsageError(f"there is no command {name!r}{hint}")


class Group(click.Group):
    """A group whose commands stand in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        commands = self.list_commands(ctx)
        if args[0] not in commands and not args[0].startswith("-"):
            raise _no_such(args[0], commands)
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group that imports a subcommand's module when the subcommand is called.

    ``lazy`` maps a name to its module, where the command is the attribute ``NAME_command``,
    and to its line in the help.
    """

    lazy: Mapping[str, tuple[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        return getattr(import_module(self.lazy[cmd_name][0]), f"{cmd_name}_command")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])
