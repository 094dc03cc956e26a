"""``mho device``: the models of memory cells."""

import click

from mho.groups import Group
from mho.options import example

__all__ = ["device_command"]


class _Group(Group):
    planned = {"fit": "fitting a device to measurements"}


@click.group("device", cls=_Group, epilog=example("mho device show rram-neurram"))
def device_command() -> None:
    """List and show device models.

    A device is a TOML file with the source of every constant; the name of a shipped one or the path of your own can
    be given wherever a command takes --device.
    """
