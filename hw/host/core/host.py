"""One core behind a register bus: buffers, operations, interrupt."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw import ports
from mho.hw.core.counting import following
from mho.hw.core.layout import OpLayout
from mho.hw.core.port import PRODUCTS, VectorMembers, join
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.write_host import connect_core
from mho.hw.memory import block_memory, has_one_port
from mho.hw.ports import Component, In, Out


class InputBuffer(Component):
    """Memory that the bus fills and that a start streams to the core, one word a cycle.

    Parameters
    ----------
    words
        Words of the memory.
    """

    enable = In(1)
    address = In(lambda self: range(self.words))
    data = In(32)
    strobe = In(4)
    """Write port."""
    start = In(1)
    """Stream the first ``count`` words."""
    count = In(lambda self: range(self.words + 1))
    """How many."""
    clear = In(1)
    """Forget what is being streamed."""
    active = Out(1)
    """Words remain to be streamed."""
    o = Out(stream.Signature(32))
    """The words."""

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = block_memory(platform, 32, self.words)
        write = memory.write_port(granularity=8)
        read = memory.read_port()
        fetched = Signal(range(self.words + 1))
        length = Signal.like(fetched)
        reads: Value = (fetched != length) & (~self.o.valid | self.o.ready)
        if has_one_port(platform, self.words):
            reads = reads & ~self.enable  # a word that the bus writes goes first
        m.d.comb += [
            write.addr.eq(self.address), write.data.eq(self.data), write.en.eq(Mux(self.enable, self.strobe, 0)),
            read.addr.eq(fetched), read.en.eq(reads),
            self.o.payload.eq(read.data),
            self.active.eq(self.o.valid | (fetched != length)),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(read.en):
            m.d.sync += [self.o.valid.eq(1), fetched.eq(fetched + 1)]
        with m.If(self.start):
            m.d.sync += [fetched.eq(0), length.eq(self.count)]
        with m.If(self.clear):
            m.d.sync += [fetched.eq(0), length.eq(0), self.o.valid.eq(0)]
        return m


class OutputBuffer(Component):
    """Memory that the core fills and that the bus reads. It takes the next vector when it was released.

    Parameters
    ----------
    words
        Words of a vector.
    """

    i = In(stream.Signature(32))
    """The core's output."""
    enable = In(1)
    address = In(lambda self: range(self.words))
    """Read port; ``data`` follows one cycle later."""
    ready = Out(1)
    """It reads: where the memory has one port, a word of the core goes first."""
    data = Out(32)
    """Word that was read."""
    full = In(1)
    """A vector is in the memory and was not released."""
    filled = Out(1)
    """The last word of a vector is written in this cycle."""
    clear = In(1)
    """Begin with a new vector."""

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = block_memory(platform, 32, self.words)
        write = memory.write_port()
        read = memory.read_port()
        place = Signal(range(self.words))
        m.d.comb += [
            self.i.ready.eq(~self.full), self.ready.eq(~write.en if has_one_port(platform, self.words) else 1),
            write.en.eq(self.i.valid & self.i.ready), write.addr.eq(place), write.data.eq(self.i.payload),
            self.filled.eq(write.en & (place == self.words - 1)),
            read.en.eq(self.enable & self.ready), read.addr.eq(self.address), self.data.eq(read.data),
        ]
        with m.If(write.en):
            m.d.sync += place.eq(following(place, self.words))
        with m.If(self.clear):
            m.d.sync += place.eq(0)
        return m


class CoreHost(wiring.Component, VectorMembers):
    """Registers and buffers between a bus and the vector level of a core.

    Parameters
    ----------
    shared
        Others ask the core for operations too, see :class:`mho.hw.host.core.host.SharedAccess`.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    irq : Out(1)
        Interrupt.
    turn, reset, claims : In(1), In(1), Out(1)
        Only if ``shared``: an operation may be started; reset core and windows; an operation goes to the core.
    <the members of ``blocks.port``>
        The vector port, whose other end the core is.
    """

    bus: Any
    irq: Value
    turn: Value
    reset: Value
    claims: Value

    products: ClassVar[bool] = True
    """The host asks for products."""

    def __init__(self, blocks: Any, *, shared: bool = False) -> None:
        self.blocks, self.map, self.shared = blocks, blocks.registers, shared
        members = blocks.port.members.items()
        self.port = wiring.Signature({name: part for name, part in members if self.products or name not in PRODUCTS})
        super().__init__({
            "bus": wiring.In(RegisterBus(self.map.address_width)),
            **({} if self.products else {"reset": wiring.In(1)}), "irq": wiring.Out(1),
            **({"turn": wiring.In(1), "reset": wiring.In(1), "claims": wiring.Out(1)} if shared else {}),
            **{name: member.flip() for name, member in self.port.members.items()},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank: Any = RegisterBank(self.map)
        m.submodules.registers = bank
        connect(m, host=flipped(self.bus), bank=bank.bus)
        irq = self._products(m, bank) if self.products else self._status(m, bank)
        programmed = connect_core(m, self.blocks, bank, self)
        m.d.comb += self.irq.eq(irq if programmed is None else irq | programmed)
        return m

    def _status(self, m: Module, bank: Any) -> Value:
        """Reset and state without products; the interrupt."""
        held = Signal()
        m.d.sync += held.eq(bank.control.soft_reset)
        m.d.comb += [
            self.soft_reset.eq(held | self.reset), bank.status.busy.eq(self.status.busy),
            bank.status.error.eq(self.status.error),
        ]
        return self.status.error & bank.interrupt_enable.error

    def _products(self, m: Module, bank: Any) -> Value:
        """Windows, operations and their state; the interrupt."""
        m.submodules.input_buffer = inputs = InputBuffer(self.map["input"].words)
        m.submodules.output_buffer = result = OutputBuffer(self.map["output"].words)
        connect(m, buffer=inputs.o, core=flipped(self.i))
        connect(m, core=flipped(self.o), buffer=result.i)

        m.d.comb += [
            inputs.enable.eq(bank.input.enable), inputs.address.eq(bank.input.address),
            inputs.data.eq(bank.input.data), inputs.strobe.eq(bank.input.strobe), bank.input.ready.eq(1),
            result.enable.eq(bank.output.enable), result.address.eq(bank.output.address),
            bank.output.data.eq(result.data), bank.output.ready.eq(result.ready),
            inputs.clear.eq(self.soft_reset), result.clear.eq(self.soft_reset),
            result.full.eq(bank.status.done.value), bank.status.done.set.eq(result.filled),
        ]
        # From a flip-flop: it goes to every register of the core.
        if self.shared:
            resetting = Signal(name="reset_held")
            m.d.sync += resetting.eq(bank.control.soft_reset)
            m.d.comb += self.soft_reset.eq(resetting | self.reset)
        else:
            m.d.sync += self.soft_reset.eq(bank.control.soft_reset)
        if self.blocks.cfg.ranged:
            m.d.comb += self.words.last.eq(self.map["output"].words - 1)
        self._start(m, bank, inputs)
        bits, enable = bank.status, bank.interrupt_enable
        failed = bits.error.value | bits.overrun.value
        return (bits.done.value & enable.done) | (failed & enable.error)

    def _start(self, m: Module, bank: Any, inputs: InputBuffer) -> None:
        """Check the operation, hand its descriptor to the core and its input to the stream."""
        check: Any = self.blocks.op_check()
        m.submodules.op_check = check
        limits = [name for name, member in check.signature.members.items() if member.flow is wiring.In and name != "op"]
        m.d.comb += [getattr(check, name).eq(self.trim[name]) for name in limits]
        descriptor, fields = check.op, bank.operation
        ready = Signal()
        go = Signal()
        may: Value = ready
        if self.shared:
            may = Signal(name="may_start")
            m.d.comb += [may.eq(ready & self.turn), self.claims.eq(~ready)]
        m.d.comb += [descriptor[name].eq(getattr(fields, name)) for name in OpLayout().operation]
        m.d.comb += [
            descriptor.step_code.eq(bank.step.step_code),
            descriptor.op_id.eq(Cat(bank.op_id_low.value, bank.op_id_high.value)),
            ready.eq(~self.op.valid & ~inputs.active),
            go.eq(bank.control.start & may & check.legal),
            inputs.start.eq(go),
            inputs.count.eq(self.blocks.input_words(descriptor)),
            bank.status.ready.eq(may),
            bank.status.busy.eq(self.status.busy | ~ready | (self.o.valid & ~bank.status.done.value)),
            bank.status.error.set.eq(bank.control.start & may & ~check.legal),
            bank.status.overrun.set.eq(bank.control.start & ~may),
        ]
        with m.If(self.op.ready):
            m.d.sync += self.op.valid.eq(0)
        with m.If(go):
            m.d.sync += [self.op.valid.eq(1), self.op.payload.eq(descriptor)]
        with m.If(self.soft_reset):
            m.d.sync += self.op.valid.eq(0)


class CoreAccess(CoreHost):
    """Registers of a core between a bus and all of its vector port that is not products.

    Parameters
    ----------
    blocks
        The core, with a map of registers without products.

    Members
    -------
    reset : In(1)
        Resets the core, and the queues of write-verify.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <the members of ``blocks.port`` but those of products>
        The vector port, whose other end the core is.
    """

    products = False


class SharedAccess(ports.Component, VectorMembers):
    """All registers of a core, and turns between the host and the program of the tile.

    The host starts an operation while the tile is ``idle`` and the core has nothing of a program in hand; else
    ``status.ready`` is 0 and ``start`` an overrun, which changes nothing. From there to the last word of the result the
    core is the host's: what a program that was started meanwhile asks for waits.

    Parameters
    ----------
    blocks
        The core, with a map of registers that has those of products.

    Members
    -------
    <the members of the vector port>
        The vector port, whose other end the core is.
    """

    bus: Any = ports.In(lambda self: RegisterBus(self.map.address_width))
    """The bus."""
    reset = ports.In(1)
    """Resets the core and what the host asked for."""
    idle = ports.In(1)
    """No program runs, and nothing that one asked for is still to be done."""
    irq = ports.Out(1)
    """Interrupt, as long as what raised it lasts."""
    program: Any = ports.Out(
        lambda self: wiring.Signature({name: part for name, part in self.port.members.items() if name in PRODUCTS}))
    """``op``, ``i``, ``o`` and ``words`` of the vector port for the program."""

    verilog_name = "core_access"

    def __init__(self, blocks: Any) -> None:
        self.blocks, self.map, self.port = blocks, blocks.registers, blocks.port
        super().__init__(behind={name: member.flip() for name, member in self.port.members.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.host = host = CoreHost(self.blocks, shared=True)
        connect(m, flipped(self.bus), host.bus)
        holds = Signal(name="host_holds")
        mine = Signal(name="host_has")
        m.d.comb += [
            mine.eq(host.claims | holds), host.turn.eq(self.idle & (mine | ~self.status.busy)),
            host.reset.eq(self.reset), self.irq.eq(host.irq),
        ]
        # The core is busy from the cycle behind the descriptor to the last word of the result.
        m.d.sync += holds.eq((host.claims | (holds & self.status.busy)) & ~self.soft_reset)
        self._turns(m, host, mine)
        join(m, self.port, flipped(self), host, but=PRODUCTS)
        return m

    def _turns(self, m: Module, host: CoreHost, mine: Value) -> None:
        """Descriptors, inputs and results: of the host where the core is its own, else of the program."""
        program = self.program
        for name in ("op", "i"):
            core, hosts, programs = getattr(self, name), getattr(host, name), getattr(program, name)
            m.d.comb += [
                core.valid.eq(Mux(mine, hosts.valid, programs.valid)),
                core.payload.eq(Mux(mine, hosts.payload, programs.payload)),
                hosts.ready.eq(mine & core.ready), programs.ready.eq(~mine & core.ready),
            ]
        m.d.comb += [
            host.o.valid.eq(mine & self.o.valid), host.o.payload.eq(self.o.payload),
            program.o.valid.eq(~mine & self.o.valid), program.o.payload.eq(self.o.payload),
            self.o.ready.eq(Mux(mine, host.o.ready, program.o.ready)),
        ]
        if "words" in self.port.members:
            m.d.comb += self.words.eq(Mux(mine, host.words, program.words))
