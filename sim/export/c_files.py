"""A network for a host in C: a header, a source of constant arrays, and the driver that both are for."""

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.rtl_gen.drivers import TILES_HEADER, tile_driver
from mho.rtl_gen.templates import fill, template
from mho.sim.export.c_text import array
from mho.sim.export.listing import Listing, Put, Taken


def c_files(listing: Listing, name: str) -> dict[str, str]:
    """Texts of ``name.h``, ``name.c`` and the driver, C99 without warnings, by the names of the files.

    Raises
    ------
    InputError
        If the name is no identifier.
    """
    if not re.fullmatch(r"[A-Za-z]\w{0,63}", name, re.ASCII):
        raise InputError(f"name must be an identifier of C with at most 64 characters, not {name!r}")
    return {f"{name}.h": _header(listing, name), f"{name}.c": "\n".join(_source(listing, name)) + "\n",
            TILES_HEADER: tile_driver()}


def _header(listing: Listing, name: str) -> str:
    net = listing.network
    sent, received = listing.elements
    said = [f"Left to the host: {step}" for step in listing.host_steps]
    said += [f"Codes {value}" for value in listing.fed]
    said += [f"Lanes {value}" for value in listing.given if listing.whole]
    # A name may hold what ends a comment.
    remarks = "".join(f" *\n * {line}.\n" for line in said).replace("*/", "* /")
    remarks = remarks.encode("ascii", "replace").decode()
    return fill(template("network.h"), {
        "CHIP": net.chip.name, "SENT": sent, "RECEIVED": received, "REMARKS": remarks, "TILES": TILES_HEADER,
        "UPPER": name.upper(), "NAME": name,
    })


def _source(listing: Listing, name: str) -> Iterator[str]:
    net, parts = listing.network, listing.parts
    yield f'#include "{name}.h"\n'
    if listing.functions.text:
        yield listing.functions.text
    for kind, writes in (("load", listing.loads), ("begin", listing.begins)):
        runs = list(_runs(writes))
        yield array("uint32_t", f"{kind}_words", (f"{int(word):#x}u" for word in writes[:, 1]))
        yield array("mho_tiles_words_t", f"{kind}s", (f"{{{at:#x}u, {count}u}}" for at, count in runs))
    for kind, places in (("counts", listing.counts), ("firsts", listing.firsts), ("starts", listing.starts)):
        yield array("uint32_t", kind, (f"{at:#x}u" for at in places))
    yield array("mho_tiles_value_t", "sources", map(_value, listing.sources), 1)
    yield array("mho_tiles_value_t", "sinks", map(_value, listing.sinks), 1)
    stage = net.program.input
    offsets, scales = (_short(values) if listing.coded else [0.0] for values in (stage.offset, stage.scale))
    whole = listing.whole
    outs = _short(net.program.output.scale) if whole else [1.0]
    for kind, values in (("in_offset", offsets), ("in_scale", scales), ("out_scale", outs)):
        yield array("double", kind, map(repr, values), 4)
    cells = [(image, image.codes) for image in listing.cells if image.codes is not None]
    for k, (image, codes) in enumerate(cells):
        yield array("uint16_t", f"codes_{k}", map(str, codes.ravel().tolist()), 16)
        lines = ",\n".join(f"  {{{at:#x}u, {word:#x}u}}" for at, word in image.writes)
        yield f"static const uint32_t writes_{k}[][2] = {{\n{lines}\n}};"
    yield array("mho_tiles_cells_t", "cells", (
        f"{{{image.core:#x}u, codes_{k}, {codes.size}u, writes_{k}, {len(image.writes)}u}}"
        for k, (image, codes) in enumerate(cells)), 1)
    steps = [f"{{{step}, {sum(1 << k for k in takes):#x}u}}"
             for step, takes in zip(listing.functions.steps, listing.awaited, strict=True)]
    yield array("mho_tiles_step_t", "steps", steps or ["{NULL, 0u}"], 1)
    sent, received = listing.elements
    values = [
        f'"{name}"', f"{listing.base:#x}u", f"0x{net.chip.sha256[:8]}u", f"{parts.mesh.payload_bits // 32}u",
        "loads, begins", *_counts(list(_runs(listing.loads)), list(_runs(listing.begins))), "load_words, begin_words",
        "counts, firsts, starts", *_counts(listing.counts, listing.firsts, listing.starts), "sources, sinks",
        *_counts(listing.sources, listing.sinks), f"{sent}u, {received}u",
        f"{listing.codes}u, {len(net.program.output.scale) if whole else received}u", "steps", *_counts(steps),
        listing.functions.finish or "NULL", f"{net.program.period}u",
        "in_offset, in_scale", *_counts(offsets, scales), f"{stage.low}, {stage.high}", "out_scale", *_counts(outs),
        "cells", *_counts(cells), f"{listing.passes}u",
    ]
    yield f"const mho_tiles_network_t {name} = {{\n" + "".join(f"  {entry},\n" for entry in values) + "};"


def _counts(*arrays: Sequence[object]) -> Iterator[str]:
    return (f"{len(array)}u" for array in arrays)


def _value(value: Put | Taken) -> str:
    shape, ends = value.held, (value.members, value.step) if isinstance(value, Put) else (0, 0)
    fields = [f"{value.head:#x}u", f"{value.first}u", *map(str, (
        shape.channels, shape.pixels, value.flits, int(shape.wide), int(shape.signed),
        value.tag if isinstance(value, Taken) else 0, value.flow, *ends))]
    return f"{{{', '.join(fields)}}}"


def _runs(writes: NDArray[np.uint32]) -> Iterator[tuple[int, int]]:
    """Where words that follow each other begin, and how many they are."""
    places = writes[:, 0].astype(np.int64)
    ends = [*(np.flatnonzero(np.diff(places) != 4) + 1).tolist(), len(places)]
    first = 0
    for end in ends:
        if end > first:
            yield int(places[first]), end - first
        first = end


def _short(values: NDArray[np.float64]) -> list[float]:
    """One number where all are the same."""
    every = [float(value) for value in values]
    return every[:1] if len(set(every)) == 1 else every
