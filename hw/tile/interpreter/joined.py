"""Several tiles and the host, joined by flows and reductions: who sends what to whom."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.state import Core
from mho.hw.tile.isa import STREAMS, Cause, Op
from mho.hw.tile.isa.legality import refusal
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError

HOST = "host"
"""Name of the host among the receivers of a flow."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A flow: who sends, its number there, who receives and in which slot. The host gets blocks, it has no slot."""

    sender: str
    number: int
    to: tuple[str, ...]
    slot: int = 0


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """A reduction: its context, who gives operands, who takes the sums."""

    context: int
    members: tuple[str, ...]
    root: str


@dataclass(frozen=True, kw_only=True)
class HostStep:
    """What the host does on the way, once an image: when it has so many blocks of flows, it sends blocks to streams.

    ``takes`` by (tile, flow), ``gives`` by (tile, stream).
    """

    takes: Mapping[tuple[str, int], int]
    gives: Mapping[tuple[str, int], int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A tile: its program, its sizes, its core, None for a tile without one; names of its streams, for messages."""

    program: Program
    cfg: TileConfig = field(default_factory=TileConfig)
    core: Core | None = None
    names: Mapping[int, str] = field(default_factory=dict)

    def ring(self, stream: int) -> str:
        """What a stream is called."""
        return repr(self.names[stream]) if stream in self.names else str(stream)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Tiles by name, and what joins them.

    Raises InputError if a name is unknown, a flow or member is there twice, a slot has no stream or two senders, or the
    host takes what is not sent to it.
    """

    tiles: Mapping[str, Place]
    flows: tuple[Flow, ...] = ()
    reductions: tuple[Reduction, ...] = ()
    host: tuple[HostStep, ...] = ()

    def __post_init__(self) -> None:
        pairs: set[tuple[str, object]] = set()

        def once(sentence: str, *key: object) -> None:
            if key in pairs:
                raise InputError(sentence)
            pairs.add(key)  # type: ignore[arg-type]

        for flow in self.flows:
            once(f"flow {flow.number} of tile {flow.sender!r} is there twice", "flow", flow.sender, flow.number)
            self._known(flow.sender, *(name for name in flow.to if name != HOST))
            for name in flow.to:
                if name != HOST:
                    once(f"slot {flow.slot} of tile {name!r} has two senders", "slot", name, flow.slot)
                    if flow.slot not in slots_of(self.tiles[name]):
                        raise InputError(f"tile {name!r} has no remote stream with slot {flow.slot}, which flow "
                                         f"{flow.number} of tile {flow.sender!r} sends to")
        for reduction in self.reductions:
            root, context = reduction.root, reduction.context
            self._known(root, *reduction.members)
            for name in reduction.members:
                once(f"tile {name!r} is a member twice in context {context}", "member", context, name)
            once(f"tile {root!r} is the root twice in context {context}", "root", context, root)

        sent = {(flow.sender, flow.number) for flow in self.flows if HOST in flow.to}
        for step in self.host:
            self._known(*(name for name, _ in step.gives))
            for tile, number in step.takes:
                if (tile, number) not in sent:
                    raise InputError(f"the host must take a flow that is sent to it, not {number} of tile {tile!r}")

    def for_images(self, images: int) -> "Joined":
        """The same for a run of so many images: :meth:`mho.hw.tile.isa.program.Program.for_images`."""
        return replace(self, tiles={name: replace(place, program=place.program.for_images(images))
                                    for name, place in self.tiles.items()})

    def _known(self, *names: str) -> None:
        for name in names:
            if name not in self.tiles:
                raise InputError(f"tiles must be among {', '.join(sorted(self.tiles))}, not {name!r}")


def slots_of(place: Place) -> dict[int, int]:
    """Streams of a tile that are remote, by their slots.

    Slots of streams that are not legal are not in use: nodes drop what comes for them. Of two streams with one slot the
    first has it.
    """
    slots: dict[int, int] = {}
    for number in range(STREAMS):
        values = place.program.descriptor("stream", number)
        legal = refusal(Op.WAIT, {"stream": number, "n": 1}, place.program.descriptors, place.cfg)[0] is Cause.NONE
        if values["remote"] and legal:
            slots.setdefault(values["slot"], number)
    return slots
