"""What the JSON of a run holds, key by key; a report reads it again."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from mho.compiler.facts import LinkFlits, TileCycles, TimeFacts


class EnergyCost(TypedDict):
    """Energy of the macros for an input."""

    total_pJ: float
    by_part_pJ: Mapping[str, float]
    by_layer_pJ: Mapping[str, float]
    exact: bool
    """Not: at most so much."""
    source: str
    left_out: Sequence[str]
    extrapolated: str | None


class CoreCost(TypedDict):
    """Cells of a core, and cycles of an input in which operations are at the pins of its macro."""

    core: int
    cells_used: int
    cells: int
    analog_cycles: float


class Bits(TypedDict("Bits", {"in": int, "out": int})):
    """Bits of the input codes of a layer, and of its conversions."""


class Rated(TypedDict):
    """Figures of the chip at a precision, with all cores busy."""

    precision: str
    snr_dB: float
    time_us: float
    tops: float
    tops_per_W: float | None
    tops_per_mm2: float | None
    energy_pJ: Mapping[str, float]


class TilesCost(TypedDict):
    """All tiles, the one that works longest, and the links between them."""

    bottleneck: str
    tiles: Sequence[TileCycles]
    links: Sequence[LinkFlits]


class Cost(TimeFacts):
    """What an input takes of time, energy and area: the key ``cost``; None is not known."""

    macs: int
    operations: int
    conversions: int
    time_predicted: bool
    tops: float | None
    energy: EnergyCost | None
    tops_per_W: float | None
    macros_mm2: float | None
    macro_by_part_mm2: Mapping[str, float] | None
    area_source: str | None
    area_extrapolated: str | None
    tops_per_mm2: float | None
    cores: Sequence[CoreCost]
    bits: Mapping[str, Bits]
    rated: Sequence[Rated]
    tiles: TilesCost | None


class CodeCounts(TypedDict):
    """Codes in equal parts of the range from -top to top, of the first images where there are many."""

    top: int
    counts: Sequence[int]


class LayerRow(TypedDict):
    """Codes of a layer over all seeds and images, in half steps."""

    layer: str
    columns: int
    positions: int
    min: int
    max: int
    saturated: float
    """Share of codes at the end of the converter's range."""
    clipped: int
    """Of ``inputs`` of the layer those beyond what its codes reach."""
    inputs: int
    limited: int
    """Outputs beyond what the converters take, before there was a code."""
    codes: CodeCounts


class TraceTile(TypedDict):
    """Cycles of a tile by what it did, and spans of cycles in which each part of it worked."""

    tile: str
    array: int
    digital: int
    waiting: int
    intervals: Mapping[str, Sequence[tuple[int, int]]]


class Trace(TypedDict):
    """What the tiles did in co-simulation: the key ``trace``."""

    images: int
    first: int
    last: int
    image_ends: Sequence[int]
    shown_to: int
    mesh: Sequence[int]
    tiles: Sequence[TraceTile]


class Provenance(TypedDict):
    """Versions and hashes: what a result is a function of."""

    versions: Mapping[str, str]
    hashes: Mapping[str, str]
    model: str
    chip: Mapping[str, object]
    device: Mapping[str, object]
    compile_options: Mapping[str, object]
    cells: NotRequired[Mapping[str, object]]


def durations(time: TimeFacts) -> tuple[str, str]:
    """Latency and interval in words."""
    cycles, us = (time["latency_cycles"], time["interval_cycles"]), (time["latency_us"], time["interval_us"])
    latency, interval = (f"{n:,.1f} cycles = {t:,.3f} µs" for n, t in zip(cycles, us, strict=True))
    return latency, interval
