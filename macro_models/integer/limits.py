"""Limits of whole numbers, and the sentences for what is beyond them."""

from mho.macro_models.errors import InputError

__all__ = ["check_whole"]


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number from ``low`` to ``high``.

    Raises
    ------
    InputError
        With the name and the limits.
    """
    if not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be between {low} and {high}, not {value!r}")
