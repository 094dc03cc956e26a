"""Verilog and C++ around a tile that is compiled once: its shell, what stands for it in the mesh, and its ports.

``sim/hdl/mesh_tiles.cpp`` runs them: whatever their kind, tiles know nothing of each other within a cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from amaranth.lib import wiring

from mho.hw.chip.map import ChipParts
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.tile import Tile
from mho.rtl_gen.verilog.blocks import port_names, ports_of
from mho.sim.build import tile_shell
from mho.sim.build.toolchain import HDL, hash_files
from mho.sim.build.verilate import FAST, archive


@dataclass(frozen=True)
class _Port:
    name: str
    width: int
    comes: bool

    @property
    def declared(self) -> str:
        return f"{'input' if self.comes else 'output'} wire [{self.width - 1}:0] {self.name}"


_RESET = _Port("rst", 1, True)
_WORD, _WIDE = 64, 256
"""Bits of what is told of a port."""


class TileShell:
    """The ports of a tile, sorted by what they are for, and the texts that are made of them.

    Parameters
    ----------
    parts
        What the chip is made of.
    macro
        Module of the macro's body, beside the tile; empty: the macro is inside of it, and nothing is noted.
    kind
        Which of ``parts.kinds`` the tile is of.
    waves
        All that a tile gets and gives is told, the pins of the macro among it, and its scopes have names that end with
        ``_here``: ``mho_scope`` of ``tile_waves.h`` says what they are in one design.
    gated
        Clocks are gated in it.

    Attributes
    ----------
    module
        The module of the tile, which the mesh around it has by this name.
    """

    def __init__(
        self, parts: ChipParts, macro: str = "", *, kind: int = 0, waves: bool = False, gated: bool = False
    ) -> None:
        tile = Tile(parts.kinds[kind], parts.mesh, parts.core, outside=bool(macro))
        by_name = {name: _Port(name, len(value), flow is wiring.In) for name, value, flow in ports_of(tile)}
        ports = [by_name[name] for name in port_names(tile)]
        self._parts, self._macro, self.module = parts, macro, tile_module(parts.kinds[kind], outside=bool(macro))
        self._pins = [port for port in ports if port.name.startswith("macro_")]
        self._outer = [port for port in ports if port not in self._pins]
        self._width = {port.name: port.width for port in self._outer}
        self._in = [name[: -len("valid")] for name in self._width if name.endswith("_i_valid")]
        self._out = [name[: -len("valid")] for name in self._width if name.endswith("_o_valid")]
        self._waves, self._gated = waves, gated
        channels = {f"{name}{what}" for name in (*self._in, *self._out) for what in ("ready", "valid", "payload")}
        self._inputs = [port for port in self._outer if port.comes and port.name not in self.constant]
        self._others = [port for port in self._outer if not port.comes and port.name not in channels]

    @property
    def constant(self) -> list[str]:
        """Ports that are 0 for ever."""
        return [name for name in ("programming_enable",) if name in self._width]

    @property
    def _placed(self) -> bool:
        """Whether the tile is told where it is: one alone is not."""
        return "place" in self._width

    def shell(self) -> str:
        """``tile_shell.sv``: the tile, and what is beside it."""
        pins, outer, waves = self._pins, self._outer, self._waves
        here = "_here" if waves else ""
        joined = "".join(f", .{port.name.removeprefix('macro_')}({port.name})" for port in pins)
        notes = notes_of(f"mesh.tile{here}" if waves else "tile", "number", "rst")
        macro = f"{self._macro} macro{here} (.clk(clk){joined});\n    {notes}"
        joined = "".join(f", .{port.name}({port.name})" for port in (*outer, *pins))
        tile = f"{self.module} tile{here} (.clk(clk), .rst(rst){joined});"
        outwards = [replace(port, comes=False) for port in pins] if waves else []
        return _filled("tile_shell.sv", {
            "MHO_PORTS": "".join(f",\n    {port.declared}" for port in (*outer, *outwards)),
            "MHO_WIRES": "" if waves else "".join(f"    wire [{port.width - 1}:0] {port.name};\n" for port in pins),
            "MHO_TILE": f"if (1) begin : mesh\n        {tile}\n    end" if waves else tile,
            "MHO_BESIDE": macro if self._macro else "",
        })

    def proxy(self) -> str:
        """``tile_proxy.sv``: what stands for the tile in its mesh."""
        payloads = [(k, name, self._width[f"{name}payload"]) for k, name in enumerate(self._out)]
        takes, outputs = 0, list[str]()
        for name in self._in:
            width = self._width[f"{name}ready"]
            outputs.append(f"    assign {name}ready = takes[{takes} +: {width}];")
            takes += width
        for k, name, width in payloads:
            outputs.append(f"    assign {name}valid = offers[{k}];")
            outputs.append(f"    assign {name}payload = payload_{k}[{width - 1}:0];")
        outputs_left = [*self._others, *(port for port in self._pins if not port.comes)]
        outputs += [
            f"    assign {port.name} = {shown(port.name, port.width) if self._waves else 0};" for port in outputs_left
        ]
        ready = ", ".join([*(f"{name}ready" for name in reversed(self._out))])
        return _filled("tile_proxy.sv", {
            "MHO_PORTS": "".join(f",\n    {port.declared}" for port in (*self._outer, *self._pins)),
            "MHO_PAYLOADS": "".join(f"    reg [255:0] payload_{k};\n" for k, _, _ in payloads),
            "MHO_ARRIVE": "\n".join(f"        if ({name}valid) mho_tile_arrive(tile, {k}, 256'({name}payload));"
                                    for k, name in enumerate(self._in)),
            "MHO_OFFERED": "\n".join(
                f"        {'' if self._waves else f'if (offers[{k}]) '}mho_tile_payload(tile, {k}, payload_{k});"
                for k, _, _ in payloads),
            "MHO_WATCHED": self._watched() if self._waves else "",
            "MHO_OUTPUTS": "\n".join(outputs), "MHO_READY": ready,
            "MHO_PLACE": "32'(place)" if self._placed else "0", "MHO_TILE": self.module,
        })

    def _watched(self) -> str:
        """What tells a tile its inputs, and takes outputs that are of no channel."""
        lines = []
        for k, port in enumerate((_RESET, *self._inputs)):
            call, width = ("mho_tile_input", _WORD) if port.width <= _WORD else ("mho_tile_wide_input", _WIDE)
            lines.append(f"    always @* {call}(tile, {k}, {width}'({port.name}));")
        for k, port in enumerate((*self._others, *self._pins)):
            name = shown(port.name, 1).partition("[")[0]
            if port.width <= _WORD:
                answer = f"{name} = mho_tile_output(tile, {k}, tick)"
                lines += [f"    reg [{_WORD - 1}:0] {name};", f"    always @* {answer};"]
            else:
                answer = f"mho_tile_wide_output(tile, {k}, tick, {name})"
                lines += [f"    reg [{_WIDE - 1}:0] {name};", f"    always @* {answer};"]
        return (HDL / "tile_watched.sv").read_text("utf-8") + "\n".join(lines)

    def header(self) -> str:
        """For ``tile_ports.h``: the ports of the channels that come in and go out, in the order of their numbers.

        What is asked for at each edge is there as one word. All kinds of tiles of a chip have the same ports.
        """
        listed = {"CAME": (self._in, "valid"), "COMING": (self._in, "payload"), "OFFERED": (self._out, "payload"),
                  "READY": (self._out, "ready")}
        packed = {"TAKES": (self._in, "ready"), "OFFERS": (self._out, "valid")}
        mesh = self._parts.mesh
        lines = ["// Tiles and their ports. Generated.", "#pragma once", f"#define MHO_COLUMNS {mesh.columns}",
                 f"#define MHO_TILES {mesh.nodes}", f"#define MHO_GATED {int(self._gated)}"]
        outwards = (*self._others, *(self._pins if self._waves else ()))
        for side, ports in {"INPUTS": (_RESET, *self._inputs), "OTHERS": outwards}.items():
            members = ", ".join(f"{{{port.width}, &(m).{port.name}}}" for port in ports)
            lines.append(f"#define MHO_{side}(m) {{{members}}}")
        for side, (names, what) in listed.items():
            ports = ", ".join(f"{{{self._width[name + what]}, &(m).{name}{what}}}" for name in names)
            lines.append(f"#define MHO_{side}(m) {{{ports}}}")
        for side, (names, what) in packed.items():
            at = [sum(self._width[name + what] for name in names[:k]) for k in range(len(names))]
            word = " | ".join(f"uint64_t((r).{name}{what}) << {k}" for name, k in zip(names, at, strict=True))
            lines.append(f"#define MHO_PACKED_{side}(r) ({word})")
        lines.append(f"#define MHO_PLACED(m, at) {'(m).place = at' if self._placed else '(void)(at)'}")
        constant = "".join(f"(m).{name} = 0; " for name in self.constant)
        return "\n".join([*lines, f"#define MHO_CONSTANTS(m) {constant}", ""])


def tile_module(tile: TileConfig, *, outside: bool) -> str:
    """The module of a tile; ``outside``: its macro is outside."""
    return "_".join(filter(None, ("mho_core_tile", tile.verilog_word, "outside" if outside else "")))


def shown(port: str, width: int) -> str:
    """With waves, what a tile has at a port, in what stands for it in the mesh."""
    return f"shown_{port}[{width - 1}:0]"


def notes_of(tile: str, number: str, reset: str) -> str:
    """Instance of ``tile_notes.sv`` beside a tile: its path from there, its number, and the reset."""
    from mho.hw.core.layout import OpLayout

    inner, at = f"{tile}.tile", OpLayout()["op_id"].offset
    name = f"notes_{tile.rpartition('.')[2]}"
    drains = f"{inner}.drain_valid && {inner}.drain_ready"
    pins = {
        "clk": "clk", "rst": reset, "number": number, "tracing": "tracing",
        "op_valid": f"{inner}.op_valid && {inner}.op_ready", "op_id": f"{inner}.op_payload[{at} +: 64]",
        "word_valid": drains, "word": f"{inner}.drain_payload", "retire": f"{inner}.retire",
        "pc": f"{inner}.retired[40:32]", "cycles_analog": f"{tile}.core.status_cycles_analog[3:0]",
        "sends": f"{inner}.o_valid && {inner}.o_ready", "computes": f"{inner}.vector.write_valid || ({drains})",
        "loads": f"{inner}.codes_valid && {inner}.codes_ready",
    }
    return f"tile_notes {name} (" + ",\n        ".join(f".{pin}({value})" for pin, value in pins.items()) + ");"


def _filled(name: str, words: dict[str, str]) -> str:
    text = (HDL / name).read_text(encoding="utf-8")
    for word, value in sorted(words.items(), key=lambda item: -len(item[0])):
        text = text.replace(f"`{word}", value)
    return text


_SOURCES = tuple(HDL / name for name in ("mesh_tiles.cpp", "tile.h", "tile_crew.h", "tile_group.h", "tile_waves.h"))
"""Beside ``port.h``, which benches have too."""
_READ = tuple(HDL / name for name in ("tile_shell.sv", "tile_proxy.sv", "tile_watched.sv", "tile_notes.sv"))


def models_key() -> str:
    """What decides, beside the chip and the compiler, what :class:`TileModels` makes."""
    return hash_files([Path(__file__), Path(tile_shell.__file__), *_SOURCES, *_READ])


class TileModels:
    """The kinds of tiles of a chip.

    Parameters
    ----------
    parts, macro, waves, gated
        As at :class:`mho.sim.build.tile_shell.TileShell`.
    """

    def __init__(self, parts: ChipParts, macro: str = "", *, waves: bool = False, gated: bool = False) -> None:
        self._parts, self._waves = parts, waves
        self._shells = [
            TileShell(parts, macro, kind=kind, waves=waves, gated=gated) for kind in range(len(parts.kinds))
        ]

    def around(self, modules: Mapping[str, str]) -> str:
        """Verilog of a chip with what stands for its tiles, from its modules with the tiles among them."""
        kinds = {shell.module for shell in self._shells}
        around = (text for name, text in modules.items() if name not in kinds)
        return "\n".join([*around, *(shell.proxy() for shell in self._shells)])

    def build(self, folder: Path, texts: Mapping[str, str], *, fast: str = FAST) -> list[Path]:
        """Compile the models into a folder; what a simulator of the chip is made of beside :meth:`around`.

        Parameters
        ----------
        folder
            Where they are built.
        texts
            All Verilog of tiles and of what is beside them, by the names of files.
        fast
            As at :func:`mho.sim.build.verilate.archive`.
        """
        inside, archives = written(folder, texts), list[Path]()
        for shell, name in zip(self._shells, self._names, strict=True):
            sources = [*inside, *written(folder, {f"{name}_shell.sv": shell.shell()})]
            archives.append(archive(
                folder, sources, top="tile_shell", name=name, fast=fast, constant=shell.constant, waves=self._waves))
        written(folder, {"tile_ports.h": self.header()})
        return [*archives, *_SOURCES]

    def header(self) -> str:
        """``tile_ports.h``: the ports of a tile, the kinds with what Verilator wrote for each, and who is of which."""
        kinds = {tile: k for k, tile in enumerate(self._parts.kinds)}
        numbers = ", ".join(str(kinds[tile]) for tile in self._parts.tiles)
        classes = ", ".join(f"of<{name}_of_mesh>()" for name in self._names)
        return "\n".join([
            self._shells[0].header(), *(self._kind(name) for name in self._names),
            f"#define MHO_KINDS(of) {{{classes}}}", f"#define MHO_KIND_OF {{{numbers}}}", "",
        ])

    @property
    def _names(self) -> list[str]:
        return ["Vtile", *(f"Vtile_{k}" for k in range(1, len(self._shells)))]

    def _kind(self, name: str) -> str:
        """A kind of tiles; with waves, how its signals are named and looked at."""
        lines, root = [f'#include "{name}__Edge.h"'], f"{name}___024root"
        inner = list[str]()
        if self._waves:
            lines += ['#include "verilated_fst_c.h"', f'#include "{name}__Syms.h"']
            for what, called in (("trace_init_top", "declare"), ("trace_register", "trace")):
                lines.append(f"void {root}__{what}({root}* root, VerilatedFst* file);")
                inner.append(
                    f"    static void {called}({root}* root, VerilatedFst* file) {{ {root}__{what}(root, file); }}"
                )
        return "\n".join([*lines, f"struct {name}_of_mesh : {name}__Kind {{", *inner, "};"])


def written(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Files of a folder with texts."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
