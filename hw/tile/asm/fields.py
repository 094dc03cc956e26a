"""Fields of descriptors in text: their names, what stands for them when they are left out, and the core's operation."""

from collections.abc import Mapping
from functools import cache

from mho.hw.tile.isa import DESCRIPTORS, Format, Operand
from mho.macro_models.integer.operation import MAX_BITS, MOST_OUT_BITS

REQUIRED = {
    "stream": ("block",), "walk": ("stream",), "mvm": ("i_last", "o_last"), "vec": ("a", "target", "elements"),
}
"""Fields that have to be given."""

ALWAYS = {
    "stream": ("base", "block"), "walk": ("stream", "run", "positions_x", "positions_y"), "mvm": ("i_last", "o_last"),
    "vec": ("a", "b", "target", "a_format", "b_format", "elements", "period", "lo", "hi"),
}
"""Fields that are always written, since what stands for them depends on others."""

_CORE_BITS = 38
_WIDTHS = {"in_bits": MAX_BITS, "out_bits": MOST_OUT_BITS}
"""Most bits that some core has."""


@cache
def core_fields() -> dict[str, tuple[int, int]]:
    """Lowest bit and width of the fields of a transposable core's operation, without its number."""
    from mho.hw.core.layout import OpLayout

    fields = {name: (place.offset, place.width) for name, place in OpLayout()}
    return {name: place for name, place in fields.items() if name != "op_id"}


def core_range(name: str) -> tuple[int, int]:
    """Least and largest value of a field of the operation: widths that some core has, of others all that fit."""
    return (1, _WIDTHS[name]) if name in _WIDTHS else (0, (1 << core_fields()[name][1]) - 1)


def pack_core(values: Mapping[str, int]) -> dict[str, int]:
    """The fields ``op`` and ``op_high`` of an mvm descriptor."""
    bits = sum(value << core_fields()[name][0] for name, value in values.items())
    return {"op": bits & 0xFFFFFFFF, "op_high": bits >> 32}


def unpack_core(values: Mapping[str, int]) -> dict[str, int] | None:
    """Fields of the operation in an mvm descriptor, None if it has bits beyond them, or a width that no core has."""
    bits = values["op"] | values["op_high"] << 32
    fields = {name: bits >> low & (1 << width) - 1 for name, (low, width) in core_fields().items()}
    return None if bits >> _CORE_BITS or any(fields[name] > most for name, most in _WIDTHS.items()) else fields


def names_of(kind: str) -> list[str]:
    """Names that items of a declaration may have."""
    return [f.name for f in DESCRIPTORS[kind].layout.fields] + (list(core_fields()) if kind == "mvm" else [])


def plain(kind: str, name: str) -> int:
    """What stands for a field that is left out, whatever the others are."""
    return DESCRIPTORS[kind].layout[name].low or 0


def complete(kind: str, written: Mapping[str, int], streams: Mapping[int, Mapping[str, int]]) -> dict[str, int]:
    """All fields of a descriptor, those that are left out by what usually goes with the others."""
    values = {f.name: plain(kind, f.name) for f in DESCRIPTORS[kind].layout.fields} | dict(written)
    usual: dict[str, int] = {}
    if kind == "walk":
        usual["run"] = streams.get(values["stream"], {}).get("block", 1)
        for side, size in (("x", "width"), ("y", "height")):
            reach = (values[f"kernel_{side}"] - 1) * values[f"dilation_{side}"] + 1
            room = values[size] + 2 * values[f"pad_{side}"] - reach
            usual[f"positions_{side}"] = max(room, 0) // values[f"stride_{side}"] + 1
    if kind == "vec":
        usual["b"] = Operand.NONE
        values |= {"b": written.get("b", usual["b"])}
        for name in ("a", "b"):
            inner = Operand.DRAIN <= values[name] < Operand.NONE
            usual[f"{name}_format"] = Format.LANE if inner else Format.SIGNED
        low, high = (-32768, 32767) if values["wide"] else (-128, 127)
        usual |= {"period": min(values["elements"], 1023), "lo": low, "hi": high}
    return values | {name: value for name, value in usual.items() if name not in written}
