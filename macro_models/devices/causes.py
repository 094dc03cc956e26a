"""Causes of what makes a macro differ from exact arithmetic, by name."""

from mho.macro_models.errors import InputError

__all__ = ["CAUSES", "checked_causes"]

CAUSES = ("programming", "relaxation", "read-noise", "wire", "adc", "stuck")
"""Everything that makes a macro differ from exact arithmetic; each can be switched off on its own."""


def checked_causes(causes: frozenset[str] | None) -> frozenset[str]:
    """Causes that are switched on, all if not given; an :class:`InputError` that names one that there is not."""
    chosen = frozenset(CAUSES) if causes is None else frozenset(causes)
    unknown = sorted(chosen - set(CAUSES))
    if unknown:
        raise InputError(f"causes must be of {', '.join(CAUSES)}, not {unknown[0]}")
    return chosen
