"""All walks of a tile: one walker for all who ask."""

from typing import Any

from amaranth.hdl import C, Cat, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.noc.fifo import RoundRobin
from mho.hw.ports import In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.engines.checks import walk_wrongs
from mho.hw.tile.rtl.engines.descriptors import Fetcher, FetchPort, place_at
from mho.hw.tile.rtl.layouts import DescriptorWrite
from mho.hw.tile.rtl.rings import AskPort, Change
from mho.hw.tile.rtl.windows.addresses import WalkFaults, WalkPort, WalkRequest
from mho.hw.tile.rtl.windows.iterator import WindowIterator


class WindowArbiter(Resettable[TileConfig]):
    """Reads a walk and where it is, has the walker do what is asked for, and writes where the walk is then.

    It serves one at a time, those who ask in turn, and none of them waits for what another one waits for: who was told
    to ask later since others did is served when a block of some ring has come or was given back.

    Parameters
    ----------
    ports
        Those who ask.
    """

    port = array(In(WalkPort()), lambda self: self.ports)
    """Those who ask."""
    fetch = Out(FetchPort())
    place = Out(stream.Signature(DescriptorWrite()))
    """Descriptor memory."""
    ask = Out(AskPort())
    change = Out(stream.Signature(Change()))
    moved = In(1)
    """The tokens."""
    serves = Out(1)
    """For a trace: it serves the second of those who ask."""

    def __init__(self, cfg: TileConfig, ports: int) -> None:
        self.ports = ports
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.fetcher = fetcher = Fetcher("walk")
        m.submodules.walker = walker = WindowIterator(self.cfg.buffer_bytes)
        m.submodules.turns = turns = RoundRobin(self.ports)
        ports = self.port
        # Who is served; the walk that is there, and whether the walker knows where it is.
        owner = Signal(self.ports)
        number = Signal(3)
        fresh = Signal()
        request = Signal(data.StructLayout({
            "number": 3, "todo": 2, "restart": 1, "advance": 1, "free": 1, "hasty": 1, "hold": 1,
        }))
        own_haste = Signal(name="own_haste")
        for name in ("fetch", "ask", "change"):
            inner = fetcher.fetch if name == "fetch" else getattr(walker, name)
            connect(m, inner, flipped(getattr(self, name)))
        done = Signal()
        wrongs = Signal(WalkFaults())
        m.d.comb += self.serves.eq(owner[1])
        m.d.comb += wrongs.eq(walk_wrongs(self.cfg, fetcher.o) | Cat(C(0, 2), walker.look.outside))
        # Those who were told to ask later, and nothing has come or gone since.
        later = Signal(self.ports, name="later")
        m.d.sync += later.eq((later | (owner & (walker.later & ~own_haste).replicate(self.ports)))
                             & ~self.moved.replicate(self.ports))
        waiting = Cat(port.valid for port in ports) & ~later
        for k, port in enumerate(ports):
            with m.If(owner[k]):
                m.d.comb += [
                    *(request[name].eq(getattr(port, name)) for name in request.shape().members if name != "hasty"),
                    own_haste.eq(port.hasty), request.hasty.eq(own_haste | (waiting & ~owner).any()),
                    port.done.eq(done), port.wrong.eq(walker.wrong), port.later.eq(walker.later),
                ]
            m.d.comb += [
                port.walk.eq(fetcher.o), port.wrongs.eq(wrongs), port.look.eq(walker.look), port.plan.eq(walker.plan),
            ]
        m.d.comb += [
            fetcher.number.eq(request.number), walker.number.eq(number), walker.walk.eq(fetcher.o),
            walker.place.eq(fetcher.place),
            *(getattr(walker, name).eq(request[name]) for name in request.shape().members if name != "number"),
        ]
        look = request.todo == WalkRequest.LOOK
        goes = Signal()
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += turns.request.eq(waiting)
                m.d.sync += owner.eq(turns.grant)
                with m.If(waiting.any()):
                    m.next = "Find"
            with m.State("Find"):
                m.d.sync += [number.eq(request.number), goes.eq(request.todo == WalkRequest.GO)]
                # The walk of the request before: its words and its place are here still.
                with m.If(fresh & ~look & (number == request.number)):
                    m.d.comb += [walker.start.eq(1), walker.moves.eq(1)]
                    m.next = "Walk"
                with m.Else():
                    m.d.comb += fetcher.start.eq(1)
                    m.next = "Fetch"
            with m.State("Fetch"), m.If(fetcher.done):
                m.d.sync += fresh.eq(1)
                m.d.comb += walker.start.eq(1)
                m.next = "Walk"
            with m.State("Walk"):
                m.d.comb += done.eq(walker.done & ~goes)
                with m.If(walker.done):
                    m.next = "Idle"
                    with m.If(goes):
                        m.next = "Column"
                with m.If(walker.wrong | walker.later):
                    # Where it has gone on in part, it does so again from where it was.
                    m.d.sync += fresh.eq(~goes)
                    m.next = "Idle"
            self._keep(m, walker, number, done)
        return self.resets(m)

    def _keep(self, m: Module, walker: WindowIterator, number: Value, done: Value) -> None:
        """Writes where the walk is."""
        place = walker.next
        first = Cat(place[name] for name in place.shape().members if name != "origin")
        for state, after, offset, what in (("Column", "Origin", 0, first), ("Origin", "Idle", 1, place.origin)):
            with m.State(state):
                m.d.comb += [
                    self.place.valid.eq(1), self.place.p.index.eq(place_at(number, offset)),
                    self.place.p.word.eq(what),
                ]
                with m.If(self.place.ready):
                    m.next = after
                    if after == "Idle":
                        m.d.comb += done.eq(1)
