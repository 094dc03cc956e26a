"""Commands of cores that take any beside products, in verification: a module here for each such kind."""

from collections.abc import Callable, Mapping

from hw.config import Chip
from macro_models.registry import discovered, module_of

__all__ = ["command_check"]


def command_check(chip: Chip) -> Callable[..., Mapping[str, int]] | None:
    """What has a core carry out random commands and compares them with the reference; None if there are none.

    It is called with (chip, core, index and model of the macro behind the pins, seed) and random pauses by name, and
    counts the commands by name.
    """
    if chip.core.kind not in discovered(__name__):
        return None
    return module_of(__name__, chip.core.kind).check_commands
