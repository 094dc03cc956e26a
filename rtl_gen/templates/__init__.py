"""Templates of generated texts, and how they are filled: ``@NAME@`` stands for a value."""

from collections.abc import Mapping
from importlib.resources import files

__all__ = ["fill", "template"]


def template(name: str) -> str:
    """A template by its name without ``.txt``."""
    return (files("mho.rtl_gen") / "templates" / f"{name}.txt").read_text(encoding="utf-8")


def fill(text: str, values: Mapping[str, object]) -> str:
    """A template with its ``@NAMES@`` replaced, in the order of ``values``."""
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text
