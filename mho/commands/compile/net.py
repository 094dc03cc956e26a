"""Compiling with progress and warnings, for ``mho compile`` and ``mho run``."""

from typing import TYPE_CHECKING, Any

from mho.terminal.console import Output

if TYPE_CHECKING:
    from mho.api.net import Net

__all__ = ["compile_net"]


def compile_net(
    model: str,
    chip: str,
    overrides: tuple[str, ...],
    calibrate: Any,
    device: str | None,
    out: Output,
    **options: Any,
) -> "Net":
    """Compile with a progress bar; shared with ``mho run``. ``options`` are those of :func:`mho.compile`."""
    import mho
    from mho.api.chip import Chip
    from mho.hw.config import load_chip, warnings

    description = load_chip(chip, overrides)
    for sentence in warnings(description):
        out.warn(sentence)
    with out.progress("calibrating layers") as progress:
        net = mho.compile(model, Chip(description), calibrate=calibrate, device=device, progress=progress, **options)
    for sentence in net.summary()["warnings"]:
        out.warn(sentence)
    return net
