"""Write-verify behind a register bus: queues of targets and results, commands, state, the fault map."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream, wiring

from mho.hw.block import Resettable
from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig
from mho.hw.core.write_verify.engine import CellLayout, TargetLayout
from mho.hw.host.core.write_map import CODE_BITS, FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG
from mho.hw.memory import OnePortMemory
from mho.hw.ports import In, Out

_COUNTERS = ("sets", "resets", "forms", "reads", "pulsed", "faults")


class WriteQueues(Resettable[WriteVerifyConfig]):
    """Queues of targets and results between the bus and write-verify.

    A read waits a cycle, as what is written comes from registers, so that these alone drive the memory. A target is
    there two cycles after it is put, and the next one a cycle after one that is taken, unless the bus puts or takes
    just then: write-verify waits for it.
    """

    put = In(1)
    put_data = In(32)
    """Write the word of a target. Ignored without room."""
    take = In(1)
    take_ready = Out(1)
    """Read a result, ready in the cycle after it: also if the bus gives it up then, but not while a target is put; its
    word follows one cycle after ``take_ready`` in ``taken``, 0 without a result."""
    taken = Out(32)

    room = Out(range(FIFO_DEPTH + 1))
    waiting = Out(range(FIFO_DEPTH + 1))
    """Targets that can be put, results that can be taken."""
    target = Out(lambda self: stream.Signature(TargetLayout(self.cfg)))
    cell = In(lambda self: stream.Signature(CellLayout(self.cfg)))
    """To and from write-verify."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        target, cell = Value.cast(self.target.payload), Value.cast(self.cell.payload)
        # Both queues are halves of one memory of one port: the bus comes first, then a result, then the next target.
        m.submodules.memory = words = OnePortMemory(
            shape=unsigned(max(len(target), len(cell))), depth=2 * FIFO_DEPTH, init=[])
        write, read = words.write_port(), words.read_port()
        put_at, next_at, add_at, take_at = (
            Signal(range(2 * FIFO_DEPTH), name=name) for name in ("put_at", "next_at", "add_at", "take_at"))
        puts, takes, adds, fetches, bus = (
            Signal(name=name) for name in ("puts", "takes", "adds", "fetches", "bus"))
        taking = self.take_ready
        half = FIFO_DEPTH.bit_length() - 1
        bits = self.cfg.verify_bits
        put_bits = Cat(self.put_data[:bits], self.put_data[WORD_FLAG:][: len(target) - bits])
        consumed = self.target.valid & self.target.ready
        m.d.comb += [
            bus.eq(self.put | taking), puts.eq(self.put & (self.room != 0)),
            takes.eq(taking & ~self.put & (self.waiting != 0)),
            self.cell.ready.eq(~bus & (self.waiting != FIFO_DEPTH)), adds.eq(self.cell.valid & self.cell.ready),
            fetches.eq(~bus & ~adds & (put_at != next_at) & (~self.target.valid | self.target.ready)),
            self.waiting.eq((add_at - take_at)[: half + 1]),
            write.en.eq(puts | adds), write.addr.eq(Mux(self.put, put_at[:half], Cat(add_at[:half], Const(1, 1)))),
            write.data.eq(Mux(self.put, put_bits, cell)), read.en.eq(takes | fetches),
            read.addr.eq(Mux(taking, Cat(take_at[:half], Const(1, 1)), next_at[:half])),
        ]
        m.d.sync += taking.eq(self.take & ~taking)
        for place, moves in ((put_at, puts), (next_at, fetches), (add_at, adds), (take_at, takes)):
            m.d.sync += place.eq(place + moves)
        # A target, and a result, come from the memory a cycle after they are asked for, and stay.
        arrives, waits = Signal(), Signal()
        head = Signal.like(target)
        m.d.comb += [
            self.target.valid.eq(arrives | waits), target.eq(Mux(arrives, read.data, head)),
            self.room.eq(FIFO_DEPTH - (put_at - next_at)[: half + 1] - self.target.valid),
        ]
        m.d.sync += [arrives.eq(fetches), waits.eq(self.target.valid & ~consumed), head.eq(target)]
        self._show(m, read.data, takes)
        return self.resets(m)

    def _show(self, m: Module, word: Value, takes: Value) -> None:
        """Give out the word of a result that is taken."""
        bits = self.cfg.verify_bits
        result = CellLayout(self.cfg)(word[: CellLayout(self.cfg).size])
        fresh, full = Signal(), Signal()
        shown = Signal(32)
        head = Cat(result.code, Const(0, CODE_BITS - bits), result.fault, Const(1, 1))
        whole = Cat(head, Const(0, RESULT_PULSES - RESULT_VALID - 1), result.pulses)
        m.d.comb += self.taken.eq(Mux(fresh, Mux(full, whole, 0), shown))
        m.d.sync += [fresh.eq(self.take_ready), full.eq(takes), shown.eq(self.taken)]


def add_write_verify(m: Module, cfg: WriteVerifyConfig, bank: Any, core: Any, clear: Value) -> Value:
    """Connect the registers of write-verify in the module ``m`` of a host; returns its interrupt.

    Parameters
    ----------
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    core
        What has the members of :class:`mho.hw.core.write_verify.engine.WritePort`, flipped.
    clear
        Empties the queues and forgets a stop.
    """
    queues: Any = WriteQueues(cfg)
    m.submodules.write_queues = queues
    m.d.comb += queues.soft_reset.eq(clear)
    wiring.connect(m, queues=queues.target, core=wiring.flipped(core.target))
    wiring.connect(m, core=wiring.flipped(core.cell), queues=queues.cell)
    status, control = core.write_status, bank.write_control
    stopping = Signal()
    with m.If(control.stop & status.busy):
        m.d.sync += stopping.eq(1)
    with m.Elif(~status.busy):
        m.d.sync += stopping.eq(0)
    was_busy = Signal()
    m.d.sync += was_busy.eq(status.busy)
    m.d.comb += [
        core.write_start.eq(control.start & ~status.busy), core.write_stop.eq(stopping),
        queues.put.eq(bank.targets.enable), queues.put_data.eq(bank.targets.data), bank.targets.ready.eq(1),
        queues.take.eq(bank.results.enable), bank.results.data.eq(queues.taken),
        bank.results.ready.eq(queues.take_ready),
        core.map_addr.eq(_map_address(cfg, bank)), bank.faults.data.eq(core.map_data), bank.faults.ready.eq(1),
        bank.write_status.busy.eq(status.busy), bank.write_status.done.set.eq(status.done),
        # A start that is refused was busy while it waited for the array.
        bank.write_status.error.set.eq(was_busy & ~status.busy & status.error),
        bank.write_status.overrun.set.eq((control.start & status.busy) | (queues.put & (queues.room == 0))),
        bank.write_status.write_pass.eq(status.write_pass), bank.write_status.enabled.eq(status.enabled),
        bank.write_levels.room.eq(queues.room), bank.write_levels.waiting.eq(queues.waiting),
        *(getattr(bank, f"write_{name}").value.eq(getattr(status, name)) for name in _COUNTERS),
    ]
    _parameters(m, cfg, bank, core.parameters)
    flags, enable = bank.write_status, bank.interrupt_enable
    service = (queues.waiting >= FIFO_DEPTH // 2) | (status.busy & (queues.room >= FIFO_DEPTH // 2))
    failed = flags.error.value | flags.overrun.value
    done = flags.done.value & enable.write_done
    return done | (failed & enable.write_error) | (service & enable.write_service)


def _map_address(cfg: WriteVerifyConfig, bank: Any) -> Value:
    """Address of the word of the fault map that the window reads."""
    row = bank.fault_row.row[: (cfg.lines - 1).bit_length()]
    return Cat(bank.faults.address, row) if cfg.row_words > 1 else row


def _parameters(m: Module, cfg: WriteVerifyConfig, bank: Any, parameters: Any) -> None:
    fields = {field.name: register.name for register in bank.map.registers for field in register.fields}
    for name in ParameterLayout(cfg).members:
        value = getattr(getattr(bank, fields[name]), name)
        if name == "tolerance" and cfg.verify_bits < CODE_BITS:
            # A band wider than the verify converter's range is as wide as that.
            value = Mux(value[cfg.verify_bits :].any(), 2**cfg.verify_bits - 1, value[: cfg.verify_bits])
        m.d.comb += parameters[name].eq(value)


def connect_core(m: Module, blocks: Any, bank: Any, core: Any) -> Value | None:
    """Connect the registers of masks, of the kind, of counters and of write-verify in the module ``m`` of a host.

    Parameters
    ----------
    blocks
        The core (:class:`mho.hw.host.core.blocks.CoreBlocks`).
    bank
        The :class:`mho.hw.host.bank.RegisterBank`.
    core
        What has the members of its vector port, flipped; its ``soft_reset`` empties the queues.

    Returns
    -------
    Value or None
        Interrupt of write-verify, if there is that.
    """
    m.d.comb += [
        core.mask.valid.eq(bank.masks.enable), core.mask.p.addr.eq(bank.masks.address),
        core.mask.p.data.eq(bank.masks.data), bank.masks.ready.eq(core.mask.ready),
    ]
    blocks.connect(m, bank, core)
    write = blocks.write
    counters = {name: getattr(core.status, name) for name in ("cycles_total", "cycles_analog", "cycles_hold")}
    if write is not None:
        counters |= {f"write_{name}": getattr(core.write_status, name) for name in ("cycles_total", "cycles_hold")}
    m.d.comb += bank.mvms.value.eq(core.status.mvms)
    _counters(m, bank, counters)
    return None if write is None else add_write_verify(m, write, bank, core, core.soft_reset)


def _counters(m: Module, bank: Any, counters: dict[str, Value]) -> None:
    """Counters of 48 bits in two reads: the upper part is kept when the lower is read."""
    kept = Signal(16)
    for name, counter in counters.items():
        low, high = getattr(bank, f"{name}_low"), getattr(bank, f"{name}_high")
        m.d.comb += [low.value.eq(counter[:32]), high.value.eq(kept)]
        with m.If(low.read):
            m.d.sync += kept.eq(counter[32:])
