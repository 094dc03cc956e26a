"""A job of tiles: their programs, conductances and flows, as one TOML file says, or one program alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.hw.tile.asm import assemble_named
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import HOST, Flow, Joined, Place, Reduction, slots_of
from mho.hw.tile.interpreter.state import ReferenceCore
from mho.hw.tile.isa import DESCRIPTORS, STREAMS, Op, decode
from mho.hw.tile.isa.legality import broken, would_trap
from mho.hw.tile.isa.program import Program
from mho.macro_models import MacroModel
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, read_text, read_toml
from mho.macro_models.files.arrays import ArrayFile
from mho.macro_models.files.schema import TEXT, Choice, ListOf, Optional, Table, Whole
from mho.macro_models.integer.draws import draw_key
from mho.macro_models.kinds import family

_ARRAYS, _TEXTS = FileKind(".npy or .npz file of conductances"), FileKind("program of a tile")
_JOB = FileKind("job of tiles")

_FLOW = Table({"from": TEXT, "flow": Whole(0, 15), "to": ListOf(TEXT, least=1), "slot": Optional(Whole(0, 15))})
_REDUCTION = Table({"context": Whole(0, 3), "members": ListOf(TEXT, least=1), "root": TEXT})
JOB = Table({
    "schema": Choice((1,)), "flows": ListOf(_FLOW, least=1), "reductions": Optional(ListOf(_REDUCTION)),
    "tiles": ListOf(Table({"at": TEXT, "program": TEXT, "conductances": Optional(TEXT)}), least=1),
})
"""What the file may hold."""


@dataclass(frozen=True, kw_only=True)
class TileJob:
    """Tiles of a chip with programs, and what joins them.

    Raises InputError if the chip has no such tiles, a program is too large for its tile, conductances have the wrong
    shape, or nothing goes to the host.
    """

    chip: Chip
    """A chip of programmable tiles."""
    programs: Mapping[str, Program]
    streams: Mapping[str, Mapping[str, int]]
    """By tile, ``"column,row"``: its program, and the numbers of its streams by their names."""
    flows: Sequence[Flow]
    reductions: Sequence[Reduction] = ()
    """As of :class:`mho.hw.tile.interpreter.joined.Joined`. A flow goes to tiles or to the host."""
    conductances: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """By tile, in uS, of shape (driven lines, converted lines), NaN for cells that are not formed; a tile that is
    missing has all cells at ``g_min_uS``."""
    texts: Mapping[str, tuple[str, Sequence[int]]] = field(default_factory=dict)
    """By tile: the file, and the line that each word comes from, none of a program that is no text."""

    def __post_init__(self) -> None:
        if not self.chip.tile.programs:
            raise InputError(f"{self.chip.name}: programs run on tiles (tile.programs = true), as of tnsa64-tile")
        sizes, shape = TileConfig.of_tiles(self.chip), self.chip.macro_config().cell_map.shape
        for tile, program in self.programs.items():
            if tile not in sizes:
                raise InputError(f"{self.chip.name}: tiles are {', '.join(sizes)}, not {tile!r}")
            program.check(sizes[tile], f"the program of tile {tile}")
        for tile, values in self.conductances.items():
            if values.shape != shape or np.isinf(values).any() or (values < 0).any():
                raise InputError(
                    f"conductances of tile {tile} must be {shape[0]} x {shape[1]} numbers of uS, 0 or more, not "
                    f"{list(values.shape)} from {np.min(values, initial=0):g} to {np.max(values, initial=0):g}")
        for tile in self.programs:
            self._check_streams(tile, sizes[tile])
            named = {flow.number for flow in self.flows if flow.sender == tile}
            lost = {fields["flow"] for op, fields in self.instructions(tile)
                    if op is Op.SEND and not fields["reduce"]} - named
            if lost:
                raise InputError(f"tile {tile} sends flow {min(lost)}, which goes nowhere: flows must name it")
        for flow in self.flows:
            if HOST in flow.to and len(flow.to) > 1:
                raise InputError(f"flow {flow.number} of tile {flow.sender} must go to tiles or to the host, not both")
        if not any(HOST in flow.to for flow in self.flows):
            raise InputError("a flow must go to the host, to = [\"host\"], else nothing is seen of a run")
        self.joined()

    def _check_streams(self, tile: str, cfg: TileConfig) -> None:
        program, names = self.programs[tile], {number: name for name, number in self.streams[tile].items()}
        for number in range(STREAMS):
            if program.descriptor("stream", number)["remote"]:
                for _, _, rule in broken(Op.WAIT, {"stream": number, "n": 1}, program.descriptors, cfg):
                    raise InputError(f"stream {names.get(number, number)} of tile {tile}: it must be that {rule}")

    def rules_broken(self, tile: str, pc: int) -> list[str]:
        """What would be right of the instruction at an address, as far as descriptors tell at the start."""
        program = self.programs[tile]
        op, fields, _ = decode(program.words[pc]) if pc < len(program.words) else (None, {}, None)
        cfg = TileConfig.of_tiles(self.chip)[tile]
        rules = [] if op is None else [rule for _, _, rule in broken(op, fields, program.descriptors, cfg)]
        return [f"it must be that {rule}" for rule in rules]

    def warnings(self) -> list[str]:
        """Instructions that would trap, each once, by the file and the line."""
        sizes = TileConfig.of_tiles(self.chip)
        return list(dict.fromkeys(
            sentence for tile, (name, lines) in self.texts.items()
            for sentence in would_trap(self.programs[tile], name, lines, sizes[tile])))

    @property
    def nodes(self) -> int:
        """Cores that the programs need, counted from the first tile on."""
        return 1 + max(map(self.node_of, self.programs))

    def joined(self, cores: Mapping[str, ReferenceCore] | None = None) -> Joined:
        """The tiles for the interpreter."""
        sizes = TileConfig.of_tiles(self.chip)
        places = {
            tile: Place(program=program, cfg=sizes[tile], core=None if cores is None else cores[tile],
                        names={number: name for name, number in self.streams[tile].items()})
            for tile, program in self.programs.items()
        }
        return Joined(tiles=places, flows=tuple(self.flows), reductions=tuple(self.reductions))

    def keyed(self, seed: int) -> "TileJob":
        """The same with the keys of chip number ``seed`` for what programs draw, where they have none."""
        if not self.chip.tile.draws:
            return self
        return replace(self, programs={
            tile: program if program.key else replace(program, key=draw_key(seed, self.node_of(tile)))
            for tile, program in self.programs.items()
        })

    def node_of(self, tile: str) -> int:
        """Number of a tile's node."""
        return list(TileConfig.of_tiles(self.chip)).index(tile)

    def instructions(self, tile: str) -> list[tuple[Op, Mapping[str, int]]]:
        """Legal instructions of a program, with their fields."""
        return _instructions(self.programs[tile])

    def models(self, device: Device, seed: int, time_s: float, causes: frozenset[str] | None) -> list[MacroModel]:
        """Programmed cores of the first :attr:`nodes` tiles: chip number ``seed`` of a device, after ``time_s``."""
        config, kind = self.chip.macro_config(), family(self.chip.core.kind)
        erased = np.full(config.cell_map.shape, self.chip.cells.g_min_uS, np.float32)
        return [
            kind.model(config, np.asarray(self.conductances.get(tile, erased), np.float32), device=device, seed=seed,
                       core=node, time_s=time_s, causes=causes)
            for node, tile in zip(range(self.nodes), TileConfig.of_tiles(self.chip), strict=False)
        ]

    def descriptors_of_products(self, tile: str) -> list[int]:
        """What a program can ask its core for: operations of its descriptors, and of what SET makes of them."""
        program, layout = self.programs[tile], DESCRIPTORS["mvm"]
        memories = [list(program.descriptors)]
        for at, op, fields, _ in program.instructions():
            count = fields["words"] if op is Op.SET else 0
            if count:
                memories.append(list(memories[-1]))
                memories[-1][fields["first"] : fields["first"] + count] = program.words[at + 1 : at + 1 + count]
        operations = dict[int, None]()
        for memory in memories:
            for number in range(layout.count):
                values = layout.values(memory, number)
                operations.setdefault(values["op"] | values["op_high"] << 32)
        return list(operations)

    def cores(self, models: Sequence[MacroModel]) -> dict[str, ReferenceCore]:
        """References of the cores, with their models, for the interpreter."""
        blocks = core_blocks(self.chip, tiled=True)
        return {tile: ReferenceCore(blocks.reference(models[self.node_of(tile)])) for tile in self.programs}

    def inputs(self) -> dict[str, tuple[str, int, int]]:
        """Remote streams that no flow fills, by ``"tile:name"``: (tile, stream, bytes of a block)."""
        filled = {(tile, flow.slot) for flow in self.flows for tile in flow.to}
        inputs = {}
        for tile, place in self.joined().tiles.items():
            for slot, stream in slots_of(place).items():
                if (tile, slot) not in filled:
                    size = place.program.descriptor("stream", stream)["block"]
                    inputs[f"{tile}:{place.names.get(stream, stream)}"] = (tile, stream, size)
        return inputs


def read_job(path: str | Path, chip: Chip) -> TileJob:
    """A job of a TOML file, or of one program: then on tile 0,0, all that it sends goes to the host.

    Raises InputError, naming the file, the field, and what would be right.

    Parameters
    ----------
    path
        ``JOB.toml``; or a program, as text or as ``mho asm`` writes it. Files that a job names lie beside it.
    chip
        What it runs on.
    """
    path = Path(path)
    if path.suffix != ".toml":
        program, streams, lines = _program(path)
        sends = [fields for op, fields in _instructions(program) if op is Op.SEND and not fields["reduce"]]
        sent = sorted({fields["flow"] for fields in sends})
        flows = [Flow(sender="0,0", number=number, to=(HOST,)) for number in sent]
        return _made(str(path), lambda: TileJob(
            chip=chip, programs={"0,0": program}, streams={"0,0": streams}, flows=flows,
            texts={"0,0": (str(path), lines)}))
    tree = JOB.read(f"{path}: ", read_toml(path, _JOB)[1])
    programs, streams, conductances, texts = {}, {}, {}, {}
    for entry in tree["tiles"]:
        if entry["at"] in programs:
            raise InputError(f"{path}: tiles: {entry['at']!r} is there twice")
        file = path.parent / entry["program"]
        programs[entry["at"]], streams[entry["at"]], lines = _program(file)
        texts[entry["at"]] = str(file), lines
        if entry.get("conductances") is not None:
            conductances[entry["at"]] = _conductances(path.parent, entry["conductances"])
    flows = [Flow(sender=flow["from"], number=flow["flow"], to=flow["to"], slot=flow.get("slot") or 0)
             for flow in tree["flows"]]
    groups = [Reduction(**group) for group in tree.get("reductions") or ()]
    return _made(str(path), lambda: TileJob(
        chip=chip, programs=programs, streams=streams, flows=flows, reductions=groups, conductances=conductances,
        texts=texts))


def _made(where: str, make: Callable[[], TileJob]) -> TileJob:
    try:
        return make()
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _program(path: Path) -> tuple[Program, dict[str, int], list[int]]:
    """A program, as text or as its file, its streams by name, and of a text the line of each word."""
    with path.open("rb") if path.is_file() else _missing(path) as file:
        head = file.read(4)
    if head == b"mhoT":
        with path.open("rb") as file:
            return Program.unpack(file.read(1 << 24), str(path)), {str(k): k for k in range(STREAMS)}, []
    program, names, lines = assemble_named(read_text(path, _TEXTS), str(path))
    return program, {name: number for number, name in names.items()}, lines


def _missing(path: Path) -> Any:
    raise InputError(f"{path}: there is no such program")


def _conductances(folder: Path, source: str) -> NDArray[np.float64]:
    name, _, key = source.partition(".npz:")
    path = folder / (f"{name}.npz" if key else source)
    with ArrayFile.open(path, _ARRAYS) as file:
        if file.names is not None and key not in file.names:
            raise InputError(f"{path}: write {path.name}:KEY with one of {', '.join(file.names)}")
        values = file.read(key or None)
    if values.dtype.kind not in "fiu" or values.ndim != 2:
        raise InputError(f"{path}: conductances must be a matrix of numbers of uS, not {values.dtype} of shape "
                         f"{list(values.shape)}")
    return values.astype(np.float64)


def _instructions(program: Program) -> list[tuple[Op, Mapping[str, int]]]:
    return [(op, fields) for _, op, fields, _ in program.instructions() if op is not None]
