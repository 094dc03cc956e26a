"""The chip's own registers, and the flits that a host without streams sends and receives."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.chip.map import QUEUE, record_words
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.host.registers import RegisterMap
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo
from mho.hw.noc.flit import Arrival, BodyLayout, FlitLayout
from mho.hw.noc.interface.tables import destination_bits
from mho.hw.ports import Component, In, Out

_TAG_AT = 16


class FlitPort(Component):
    """Flits from and to the host through windows of a register bus, and what the chip is.

    Parameters
    ----------
    map
        Its registers, of :func:`mho.hw.chip.map.chip_page`.
    """

    bus = In(lambda self: RegisterBus(self.map.address_width))
    """The registers."""
    send = Out(lambda self: stream.Signature(FlitLayout(self.mesh)))
    """Flits of the host."""
    receive = In(lambda self: Arrival(BodyLayout(self.mesh)))
    """Flits for the host."""
    lost = In(1)
    """A flit of the host was dropped."""
    core_irq = In(1)
    tile_irq = In(lambda self: self.mesh.nodes)
    irq = Out(1)
    """Interrupts of the cores and of the tiles, and that of the chip."""

    def __init__(self, mesh: MeshConfig, map: RegisterMap) -> None:
        self.mesh, self.map = mesh, map
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank: Any = RegisterBank(self.map)
        m.submodules.registers = bank
        connect(m, flipped(self.bus), bank.bus)
        status, enable = bank.status, bank.interrupt_enable
        failed = status.refused.value | status.lost.value | status.overflow.value
        m.d.comb += [
            status.core.eq(self.core_irq), status.tile.eq(self.tile_irq.any()), status.lost.set.eq(self.lost),
            self.irq.eq((self.core_irq & enable.core) | (self.tile_irq.any() & enable.tile)
                        | (status.waiting.any() & enable.waiting)
                        | (failed & enable.error)),
        ]
        for k, first in enumerate(range(0, self.mesh.nodes, 32)):
            m.d.comb += getattr(bank, f"raised_{k}").tiles.eq(self.tile_irq[first : first + 32])
        self._sends(m, bank)
        self._receives(m, bank)
        return m

    def _sends(self, m: Module, bank: Any) -> None:
        """Words become flits, with the last word of each."""
        mesh, flit = self.mesh, FlitLayout(self.mesh)
        payload, size = mesh.payload_bits // 32, record_words(mesh)
        bits = destination_bits(mesh)
        m.submodules.to_send = queue = FlitFifo(flit.size, QUEUE)
        head = Signal(_TAG_AT + mesh.tag_bits, reset_less=True)
        words = [Signal(32, name=f"word_{k}", reset_less=True) for k in range(payload - 1)]
        part = bank.send.address[: (size - 1).bit_length()]
        whole = Signal()
        m.d.comb += [
            whole.eq(bank.send.enable & (part == payload)), bank.send.ready.eq(1),
            queue.put.eq(whole & queue.ready), bank.status.refused.set.eq(whole & ~queue.ready),
            # The order of FlitLayout; nobody but nodes sends to the host.
            queue.i.eq(Cat(*words, bank.send.data, head[_TAG_AT:], Const(0, 1), head[:bits])),
            self.send.payload.eq(queue.o), self.send.valid.eq(queue.valid),
            queue.take.eq(queue.valid & self.send.ready),
        ]
        with m.If(bank.send.enable):
            for k, held in enumerate((head, *words)):
                with m.If(part == k):
                    m.d.sync += held.eq(bank.send.data)
        self._level(m, bank.status.room, queue.take, queue.put, QUEUE)

    def _receives(self, m: Module, bank: Any) -> None:
        """Flits are words until the last of each is read."""
        mesh = self.mesh
        payload, size = mesh.payload_bits // 32, record_words(mesh)
        m.submodules.received = queue = FlitFifo(BodyLayout(mesh).size, QUEUE)
        body: Any = BodyLayout(mesh)(queue.o)
        part = bank.receive.address[: (size - 1).bit_length()]
        word = Signal(32)
        m.d.comb += [
            queue.i.eq(Value.cast(self.receive.payload)), queue.put.eq(self.receive.valid & queue.ready),
            bank.status.overflow.set.eq(self.receive.valid & ~queue.ready), bank.receive.ready.eq(1),
            queue.take.eq(bank.receive.enable & queue.valid & (part == payload)),
        ]
        with m.Switch(part):
            with m.Case(0):
                m.d.comb += word.eq(Cat(Const(0, _TAG_AT), body.tag, Const(0, 15 - mesh.tag_bits), Const(1, 1)))
            for k in range(payload):
                with m.Case(k + 1):
                    m.d.comb += word.eq(body.payload.word_select(k, 32))
        with m.If(bank.receive.enable):
            m.d.sync += bank.receive.data.eq(Mux(queue.valid, word, 0))
        self._level(m, bank.status.waiting, queue.put, queue.take, 0)

    def _level(self, m: Module, level: Value, more: Value, less: Value, start: int) -> None:
        """A number of flits, in a register."""
        count = Signal(range(QUEUE + 1), init=start)
        m.d.sync += count.eq(count + more - less)
        m.d.comb += level.eq(count)
