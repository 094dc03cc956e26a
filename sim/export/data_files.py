"""A network for a host in any language: a JSON of what joins it, and arrays of what is written."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.chip.map import MAP_VERSION, QUEUE, record_words
from mho.hw.host.core.write_map import WORD_FLAG
from mho.hw.noc.interface.words import UNIT, credit_tag
from mho.hw.tile.loading import RESET, START
from mho.sim.export.listing import TAG_AT, Listing


def data_files(listing: Listing, name: str) -> dict[str, bytes]:
    """Contents of ``name.json`` and ``name.npz``, by the names of the files; what each key is, the JSON says itself."""
    text = json.dumps(_content(listing, name), indent=1) + "\n"
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **_arrays(listing))
    return {f"{name}.json": text.encode(), f"{name}.npz": stream.getvalue()}


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
