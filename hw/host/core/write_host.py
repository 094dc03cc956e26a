"""Write-verify behind a register bus: queues of targets and results, commands, state, the fault map."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered

from mho.hw.block import Resettable
from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig
from mho.hw.core.write_verify.engine import CellLayout, TargetLayout
from mho.hw.host.core.write_map import CODE_BITS, FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG
from mho.hw.ports import In, Out

_COUNTERS = ("sets", "resets", "forms", "reads", "pulsed", "faults")


class WriteQueues(Resettable[WriteVerifyConfig]):
    """Queues of targets and results between the bus and write-verify."""

    put = In(1)
    put_data = In(32)
    """Write the word of a target. Ignored without room."""
    take = In(1)
    """Read a result; its word follows one cycle later in ``taken``, 0 without a result."""
    taken = Out(32)

    room = Out(range(FIFO_DEPTH + 1))
    waiting = Out(range(FIFO_DEPTH + 1))
    """Targets that can be put, results that can be taken."""
    target = Out(lambda self: stream.Signature(TargetLayout(self.cfg)))
    cell = In(lambda self: stream.Signature(CellLayout(self.cfg)))
    """To and from write-verify."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        target, cell = self.target, self.cell
        target_bits = Value.cast(target.payload)
        cell_bits = Value.cast(cell.payload)
        targets: Any = SyncFIFOBuffered(width=len(target_bits), depth=FIFO_DEPTH)
        results: Any = SyncFIFOBuffered(width=len(cell_bits), depth=FIFO_DEPTH)
        m.submodules.targets, m.submodules.results = targets, results
        result = CellLayout(self.cfg)(results.r_data)
        bits = self.cfg.verify_bits
        m.d.comb += [
            targets.w_data.eq(Cat(self.put_data[:bits], self.put_data[WORD_FLAG:][: len(target_bits) - bits])),
            targets.w_en.eq(self.put),
            target_bits.eq(targets.r_data), target.valid.eq(targets.r_rdy), targets.r_en.eq(target.ready),
            self.room.eq(FIFO_DEPTH - targets.level),
            results.w_data.eq(cell_bits), results.w_en.eq(cell.valid), cell.ready.eq(results.w_rdy),
            results.r_en.eq(self.take), self.waiting.eq(results.level),
        ]
        head = Cat(result.code, Const(0, CODE_BITS - bits), result.fault, Const(1, 1))
        word = Cat(head, Const(0, RESULT_PULSES - RESULT_VALID - 1), result.pulses)
        with m.If(self.take):
            m.d.sync += self.taken.eq(Mux(results.r_rdy, word, 0))
        return self.resets(m)


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
        queues.take.eq(bank.results.enable), bank.results.data.eq(queues.taken), bank.results.ready.eq(1),
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
