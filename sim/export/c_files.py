"""A network for a host: in C, with a driver, or as data for any language."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.chip.map import MAP_VERSION, QUEUE, record_words
from mho.hw.host.core.write_map import WORD_FLAG
from mho.hw.noc.interface.tables import UNIT, credit_tag
from mho.hw.tile.host_map import RESET, START
from mho.macro_models.errors import InputError
from mho.macro_models.output import npz_bytes
from mho.rtl_gen.registers import TILES_HEADER, tile_driver
from mho.rtl_gen.templates import fill, template
from mho.sim.export.c_text import array
from mho.sim.export.listing import TAG_AT, Listing, Put, Taken


def c_files(listing: Listing, name: str) -> dict[str, str]:
    """Texts of ``name.h``, ``name.c`` and the driver, C99 without warnings, by the names of the files.

    Raises InputError if the name is no identifier.
    """
    if not re.fullmatch(r"[A-Za-z]\w{0,63}", name, re.ASCII):
        raise InputError(f"name must be an identifier of C with at most 64 characters, not {name!r}")
    return {f"{name}.h": _header(listing, name), f"{name}.c": "\n".join(_source(listing, name)) + "\n",
            TILES_HEADER: tile_driver()}


def build_files() -> dict[str, bytes]:
    """What builds all networks of a folder with CMake, alone or as a module of Zephyr, by the names of the files."""
    return {"CMakeLists.txt": template("CMakeLists.txt").encode(),
            "zephyr/module.yml": b"name: mho_networks\nbuild:\n  cmake: .\n"}


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


def data_files(listing: Listing, name: str) -> dict[str, bytes]:
    """Contents of ``name.json`` and ``name.npz``, by the names of the files; what each key is, the JSON says itself."""
    text = json.dumps(_content(listing, name), indent=1) + "\n"
    return {f"{name}.json": text.encode(), f"{name}.npz": npz_bytes(_arrays(listing))}


def _arrays(listing: Listing) -> dict[str, NDArray[Any]]:
    program = listing.network.program
    arrays: dict[str, NDArray[Any]] = {"loads": listing.loads, "begins": listing.begins}
    if listing.coded:
        arrays |= {"in_offset": program.input.offset, "in_scale": program.input.scale}
    if listing.whole:
        arrays["out_scale"] = program.output.scale
    for k, image in enumerate(listing.cells):
        arrays[f"targets_uS_{k}"] = image.targets_uS
        if image.codes is not None:
            arrays[f"targets_{k}"] = image.codes.astype(np.uint16)
    return arrays


def _content(listing: Listing, name: str) -> Mapping[str, Any]:
    net, mesh = listing.network, listing.parts.mesh
    sent, received = listing.elements
    return {
        "name": name, "chip": {"name": net.chip.name, "sha256": net.chip.sha256, "map_version": MAP_VERSION},
        "registers": {"chip": listing.base, "counts": listing.counts, "firsts": listing.firsts,
                      "starts": listing.starts},
        "control": {"start": START, "reset": RESET},
        "flit": {"payload_words": mesh.payload_bits // 32, "record_words": record_words(mesh), "tag_at": TAG_AT,
                 "credit_tag": credit_tag(mesh)},
        "credits": {"queue": QUEUE, "unit": UNIT, "blocks_under_way": 2, "units_under_way": 2},
        "inputs": sent, "outputs": received, "period": net.program.period,
        "in_range": [net.program.input.low, net.program.input.high],
        "sources": [asdict(end) for end in listing.sources], "sinks": [asdict(end) for end in listing.sinks],
        "cells": [{"core": image.core, "lines": len(image.targets_uS), "writes": [list(pair) for pair in image.writes]}
                  for image in listing.cells],
        "passes": listing.passes, "skip_cell": 1 << WORD_FLAG, "host_steps": list(listing.host_steps),
        "fed": [asdict(value) for value in listing.fed], "given": [asdict(value) for value in listing.given],
        "about": _ABOUT,
    }


_ABOUT = {
    "loads": "array (words, 2) of addresses and words: written once, in this order, behind control.reset to each of "
             "registers.starts",
    "begins": "the same, written before each run; then images - 1 to each of registers.counts, the number of the first "
              "image (a multiple of period) to each of registers.firsts, control.start to each of registers.starts",
    "sources": "blocks that the host sends, pixel by pixel and image by image: element first + channel * pixels + "
               "pixel of an image, in one byte or, wide, two, low one first, as many flits of payload_words words as "
               "flits says, each behind the word head. Two blocks may be under way; each ends with a credit of every "
               "member",
    "sinks": "blocks that come, in the same order, flits with this tag. After each unit of flits, and at the end of a "
             "block, the host sends a credit: the word head, then flow | (units so far & 1) << 4",
    "credits": "a flit with credit_tag names in its first word the flow of the host (bits 3:0) and whether the block "
               "was an odd one (bit 4). The chip has room for queue flits: no more may be under way than that",
    "in_offset, in_scale, in_range": "codes of the input: clip(rint((x - offset) / scale), low, high)",
    "out_scale": "numbers in the units of the model: lanes * scale",
    "cells": "targets_uS_k: conductances of core k, [bit line, source line], in uS; targets_k: the same as codes of "
             "write-verify, row by row; writes: registers of a pass, from core on; passes: how many passes",
    "host_steps": "what the host does besides",
    "fed, given": "values of the model in what is sent, as numbers that become codes, and in the last lanes: name, "
                  "shape, first element",
}
