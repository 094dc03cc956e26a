"""The generated Verilog of a tile in Verilator: many programs in one process."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from mho.hw.core.layout import OpLayout
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import Retired
from mho.hw.tile.isa import DESCRIPTOR_WORDS, INSTRUCTIONS, OPCODE_LOW, TABLE_ENTRIES, TABLES, Engine, Op
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.engines.load import MaskWrite
from mho.hw.tile.rtl.host import (
    ADDRESS_WIDTH,
    BUFFER,
    CONTROL,
    DESCRIPTORS_AT,
    INSTRUCTIONS_AT,
    PARAMETERS_AT,
    TABLES_AT,
)
from mho.hw.tile.rtl.trace import EventLayout
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.generate import Binding
from mho.sim.build.toolchain import HDL, cached_build, hash_files, run_logged
from mho.sim.build.verilate import compiler_key, verilate, verilog_modules
from mho.sim.tile_programs.cases import REFUSE_BITS, REFUSE_LOW, Case, weights_of

_BENCH = "tile_programs.cpp"
_MEMORY = re.compile(r"^module (\w+)(?:(?!^endmodule).)*?^ *reg [^;]*\bmemory *\[", re.MULTILINE | re.DOTALL)
"""Models of macros whose words are looked at, by what most of them call these."""
_QUIET = 3000
"""Cycles in which nothing moves after which a tile is taken to be stuck; an operation may take so long."""
_DEADLINE = 300_000
"""Cycles after which a program is cut off."""
_POLL = 64

Words = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class TileRun:
    """What a tile did with a program."""

    status: tuple[int, int]
    """Both words."""
    running: bool
    busy: bool
    cut: bool
    """The program goes on; an engine is at work; it was cut off, since it took too long."""
    cycles: int
    overlap: int
    """Cycles until something moved last, and those in which two engines or more had something."""
    retired: list[int]
    """Addresses of what was issued, or ended in the sequencer."""
    events: list[tuple[int, Retired]]
    """What engines told, in the order of time, each behind how many ended in that engine before."""
    received: dict[int, list[bytes]]
    """Blocks of flows in whole flits."""
    masks: list[tuple[int, int]]
    """Addresses and words of masks that were given to the core."""
    buffer: bytes
    """Its bytes at the end."""


@dataclass(frozen=True, kw_only=True)
class TileMemories:
    """What the memories of a tile are made of."""

    one_port: bool = False
    """They have one port, see :mod:`mho.hw.memory`."""
    bind: Binding | None = None
    """Puts them on macros."""
    models: str = ""
    """Verilog of these."""


TWO_PORTS = TileMemories()
"""Memories as FPGAs have them."""


@cache
def _sources(cfg: TileConfig, one_port: bool) -> tuple[dict[str, str], str]:
    """The modules of a tile, and the header that tells the bench its ports; seconds, so once for each configuration."""
    tile = TileController(cfg)
    return verilog_modules(tile, "tile", one_port), _header(cfg, tile)


class TileSimulation:
    """Simulator of a tile without core and node, built once and kept in the cache.

    Parameters
    ----------
    cfg
        The tile; it gets a trace.
    memories
        What its memories are.
    """

    def __init__(self, cfg: TileConfig, memories: TileMemories = TWO_PORTS) -> None:
        self.cfg = replace(cfg, trace=True)
        modules, header = _sources(self.cfg, memories.one_port)
        if memories.bind is not None:
            modules = memories.bind(modules).texts
        verilog = "\n".join([memories.models, *modules.values()])
        key = [verilog, header, hash_files([Path(__file__), HDL / _BENCH]), *compiler_key()]

        def build(folder: Path) -> None:
            (folder / "tile.v").write_text(verilog)
            (folder / "tile_ports.h").write_text(header)
            # Accumulators have no value at the start, those of the interpreter are 0; the buffer is read at the end.
            holders = re.compile("mho_(accumulators|parity_banks|buffer)")
            looked_at = [text for name, text in modules.items() if holders.match(name)]
            wrappers = re.findall(r"mho_mem_\w+", "\n".join(looked_at))
            lines = [f'public_flat_rw -module "{name}" -var "words"\n' for name in sorted(set(wrappers))]
            lines += [f'public_flat_rw -module "{name}" -var "memory"\n' for name in _MEMORY.findall(memories.models)]
            (folder / "public.vlt").write_text("`verilator_config\n" + "".join(lines))
            sources = [folder / "public.vlt", folder / "tile.v", HDL / _BENCH]
            verilate(folder, sources, top="mho_tile", options=["--vpi"])

        self._program = cached_build("tile", key, build) / "simulator"
        self.simulated = 0
        self.cpu_s = 0.0

    def run(self, cases: Sequence[Case]) -> list[TileRun]:
        """Run programs one after the other, the tile being reset between them."""
        with Workspace("tile") as folder:
            np.concatenate([_words(case, self.cfg) for case in cases]).tofile(folder / "programs")
            weights_of(self.cfg.lines).astype(np.int32).tofile(folder / "weights")
            command = [str(self._program), "programs", "weights", "results"]
            run_logged(command, folder / "log", "the simulation of the tile", cwd=folder)
            cycles, _, seconds, _ = (folder / "log").read_text().split()[-4:]
            result = np.fromfile(folder / "results", np.uint32)
        self.simulated += int(cycles)
        self.cpu_s += float(seconds)
        runs, at = [], 0
        while at < len(result):
            size = int(result[at])
            runs.append(_run_of(result[at + 1 : at + 1 + size], self.cfg))
            at += 1 + size
        return runs


def _areas(cfg: TileConfig) -> dict[str, tuple[int, int]]:
    """Memories that the host writes: byte address and words."""
    return {
        "instruction": (INSTRUCTIONS_AT, cfg.instructions), "descriptor": (DESCRIPTORS_AT, DESCRIPTOR_WORDS),
        "parameter": (PARAMETERS_AT, 2 * cfg.parameters), "table": (TABLES_AT, TABLES * TABLE_ENTRIES),
        "buffer": (BUFFER, cfg.buffer_bytes // 4),
    }


def _words(case: Case, cfg: TileConfig) -> Words:
    """A case as the simulator reads it."""
    program = case.program
    settings = [
        case.seed, case.stall, case.delay, int(case.eager), program.image, *program.registers, case.watchdog,
        len(case.given), program.key & 0xFFFFFFFF, program.key >> 32,
    ]
    parameters = np.zeros(cfg.parameters, np.uint64)
    parameters[: len(program.parameters)] = program.parameters
    buffer = np.frombuffer(program.buffer.ljust(cfg.buffer_bytes, b"\0"), "<u4")
    parts: list[Any] = [
        settings, _filled(program.words, cfg.instructions), _filled(program.descriptors, DESCRIPTOR_WORDS),
        parameters.view("<u4"), program.tables.astype("<u2").ravel(), buffer,
    ]
    for stream, blocks in case.given.items():
        values = program.descriptor("stream", stream)
        whole = b"".join(block.ljust(-(-len(block) // 4) * 4, b"\0") for block in blocks)
        parts += [[values["slot"], values["block"], len(blocks)], np.frombuffer(whole, "<u4")]
    return np.concatenate([np.asarray(part, np.uint32) for part in parts])


def _filled(words: Sequence[int], count: int) -> Words:
    filled = np.zeros(count, np.uint32)
    filled[: len(words)] = words
    return filled


def _run_of(words: Words, cfg: TileConfig) -> TileRun:
    head, parts, at = words[:5].tolist(), [], 5
    for _ in range(5):
        size = int(words[at])
        parts.append(words[at + 1 : at + 1 + size])
        at += 1 + size
    retired, events, flits, masks, buffer = parts
    return TileRun(
        status=(head[0], head[1]), running=bool(head[2] & 1), busy=bool(head[2] & 2), cut=bool(head[2] & 4),
        cycles=head[3], overlap=head[4],
        retired=retired.tolist(), events=_events(events.tolist()), received=_blocks(flits.reshape(-1, 3), cfg),
        masks=[(int(a), int(d)) for a, d in masks.reshape(-1, 2)], buffer=buffer.astype("<u4").tobytes(),
    )


def _events(words: list[int]) -> list[tuple[int, Retired]]:
    events, at = [], 0
    while at < len(words):
        engine, order, pc, word, image, low, high, checksum, count = words[at : at + 9]
        tokens: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for change in words[at + 9 : at + 9 + count]:
            stream_counts = tokens[not change >> 4 & 1]
            stream_counts[change & 15] = stream_counts.get(change & 15, 0) + 1
        freed, shown = (tuple(sorted(stream_counts.items())) for stream_counts in tokens)
        op = Op(word >> OPCODE_LOW)
        told = Retired(Engine(engine), pc, op, image, freed, shown, high << 32 | low, checksum)
        events.append((order, told))
        at += 9 + count
    return events


def _blocks(flits: Words, cfg: TileConfig) -> dict[int, list[bytes]]:
    blocks: dict[int, list[bytes]] = {}
    begun = b""
    for flow, low, high in flits.tolist():
        begun += (high << 32 | low).to_bytes(8, "little")[: cfg.flit_bytes]
        if flow >> 4:
            blocks.setdefault(flow & 15, []).append(begun)
            begun = b""
    return blocks


def _header(cfg: TileConfig, tile: Any) -> str:
    """Where the bench finds fields."""
    areas = _areas(cfg)
    event, retired = EventLayout(), tile.retired.shape()
    changed: Any = event["changed"].shape
    names, words = list(areas), tile.words.shape()
    constants = {
        "Lines": cfg.lines, "InputWords": cfg.input_words, "ForwardWords": cfg.forward_words,
        "OutputWords": cfg.output_words, "Flit": cfg.flit_bytes,
        "Control": CONTROL, "Areas": len(areas), "DescriptorArea": names.index("descriptor"),
        "BufferArea": names.index("buffer"), "Quiet": _QUIET, "Deadline": _DEADLINE, "Poll": _POLL,
        "Ranged": int(cfg.ranged), "KeyWords": 2 * cfg.draws,
        **_offsets("Words", words, "first", "last"), "WordsBits": words["first"].width,
        "RefuseLow": REFUSE_LOW, "RefuseBits": REFUSE_BITS,
        **_offsets("Bus", tile.bus.request.payload.shape(), "address", "write", "data", "strobe"),
        "BusAddressBits": ADDRESS_WIDTH - 2, **_offsets("BusRead", tile.bus.response.payload.shape(), "data"),
        **_offsets("In", tile.i.payload.shape(), "payload", "slot"),
        **_offsets("Out", tile.o.payload.shape(), "payload", "flow", "last", "operand"),
        **_offsets("Mask", MaskWrite(), "addr", "data"), **_offsets("Op", OpLayout(), "op_id"),
        **_offsets("Retired", retired, "pc"), "RetiredOp": retired["word"].offset + OPCODE_LOW,
        "RetiredBlocks": retired["word"].offset + INSTRUCTIONS[Op.SEND].layout.low["n"],
        "TraceOp": event["word"].offset + OPCODE_LOW,
        **_offsets("Trace", event, "valid", "order", "pc", "word", "image", "op_id", "checksum"),
        "TraceChanged": event["changed"].offset + changed["valid"].offset,
        "TraceStream": event["changed"].offset + changed["stream"].offset,
        **{f"Op{op.name.title()}": int(op) for op in (Op.MVM, Op.VEC, Op.SEND)},
    }
    lines = [f"constexpr int k{name} = {value};" for name, value in constants.items()]
    for name, values in (("Bases", [a for a, _ in areas.values()]), ("Sizes", [n for _, n in areas.values()]),
                         ("Pairs", [int(n == "parameter") for n in areas])):
        lines.append(f"constexpr int k{name}[] = {{{', '.join(map(str, values))}}};")
    return "\n".join(['#include "Vtop.h"', *lines, ""])


def _offsets(prefix: str, layout: data.Layout, *names: str) -> dict[str, int]:
    return {f"{prefix}{''.join(part.title() for part in name.split('_'))}": layout[name].offset for name in names}
