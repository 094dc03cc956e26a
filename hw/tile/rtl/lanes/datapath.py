"""The vector unit: operands, parameters, lanes, tables, accumulators, and what is written."""

from itertools import pairwise
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.memory import block_memory
from mho.hw.ports import In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import TABLE_ENTRIES, TABLES, Kind, Operand
from mho.hw.tile.rtl.buffer import ADDRESS_BITS, ReadPort, WritePort
from mho.hw.tile.rtl.lanes.accumulators import AT_A_TIME, INDEX_BITS, Accumulators, Parameters
from mho.hw.tile.rtl.lanes.lane import STAGES, Lane
from mho.hw.tile.rtl.lanes.operands import BeatLayout, Operands, TermLayout
from mho.hw.tile.rtl.layouts import DescriptorLayout

_TABLE_BITS = (TABLES * TABLE_ENTRIES - 1).bit_length()
_LATE = STAGES + 1
"""Registers from the queue of operands to the results, the first of them being the operands themselves.

What a table holds is there one later: a memory takes half of a cycle.
"""


class MemoryWrite(data.StructLayout):
    """What the host writes: a parameter, or an entry of the tables one behind the other if ``table``.

    ``index``: its place in words of the host, of which a parameter has two and the second one counts. ``data``: a
    parameter, or in its high word an entry.
    """

    def __init__(self) -> None:
        super().__init__({"index": _TABLE_BITS + 1, "table": 1, "data": 64})


class StageLayout(data.StructLayout):
    """What stands in a stage of the lanes."""

    def __init__(self, cfg: TileConfig) -> None:
        super().__init__({"valid": 1, "first": 1, "last": 1, "count": range(cfg.lanes + 1), "sum": 8})


class DatapathPorts(Resettable[TileConfig]):
    """What computes a vector operation reaches.

    Members
    -------
    drain, result, read
        Where operands come from, as at :class:`mho.hw.tile.rtl.lanes.operands.Operands`.
    summing : Out(1)
        It takes sums of a reduction.
    write : Out(WritePort())
        The buffer.
    memory : In(stream of MemoryWrite())
        Writes parameters and tables; while an operation is on that does not read them. Always taken.
    adds, total : Out(1), Out(32)
        For a trace, if the tile has one: results are written; their sum.
    """

    drain = In(stream.Signature(unsigned(32)))
    result = In(lambda self: stream.Signature(unsigned(self.cfg.payload_bits)))
    read = Out(ReadPort())
    summing = Out(1)
    write = Out(WritePort())
    memory = In(stream.Signature(MemoryWrite()))
    adds = Out(1)
    total = Out(32)


class VectorDatapath(DatapathPorts):
    """Carries out one vector operation at a time. Reference: :func:`mho.hw.tile.isa.vector.compute`.

    It takes a cycle for each group of elements (:class:`mho.hw.tile.rtl.lanes.operands.Operands`) and term, and eleven
    more for the first result to be written and the unit to be free; one more if the last operands come from the buffer,
    and for a table.

    Members
    -------
    <the members of :class:`DatapathPorts`>
    job : In(DescriptorLayout("vec"))
        The operation, legal. It stays from a cycle before ``start`` to ``done``, and what follows from ``start``.
    a_block, b_block, target_block : In(16)
        Addresses of the blocks of sources and target that are streams.
    holds : In(1)
        The target's block is known in the last cycle of this at the latest; nothing goes to the lanes meanwhile.
    start, done : In(1), Out(1)
        Strobe: begin. Where no elements are left: the last results are written in this cycle, or were before.
    active, term, second
        As at :class:`mho.hw.tile.rtl.lanes.operands.Operands`.
    drawn, draws : In(32), Out(1)
        As there.
    """

    a_block = In(ADDRESS_BITS)
    b_block = In(ADDRESS_BITS)
    term = In(stream.Signature(TermLayout()))
    second = Out(1)
    drawn = In(32, when=lambda self: self.cfg.draws)
    draws = Out(1, when=lambda self: self.cfg.draws)
    active = Out(1)
    job = In(DescriptorLayout("vec"))
    start = In(1)
    target_block = In(ADDRESS_BITS)
    holds = In(1)
    done = Out(1)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg, job = self.cfg, self.job
        m.submodules.operands = operands = Operands(cfg)
        m.submodules.parameters = parameters = Parameters(cfg)
        m.submodules.accumulators = accumulators = Accumulators()
        # Accumulators are reached two at a time and tables once: the other lanes are without that.
        lanes = [Lane(sums=k < AT_A_TIME, tables=k == 0) for k in range(cfg.lanes)]
        for k, lane in enumerate(lanes):
            m.submodules[f"lane_{k}"] = lane
        for name in ("term", "drain", "result", "read"):
            connect(m, getattr(operands, name), flipped(getattr(self, name)))
        m.d.comb += [
            operands.start.eq(self.start), operands.job.eq(job), operands.a_block.eq(self.a_block),
            operands.b_block.eq(self.b_block), self.summing.eq(operands.summing),
            self.second.eq(operands.second), self.active.eq(operands.active), operands.holds.eq(self.holds),
        ]
        if cfg.draws:
            m.d.comb += [operands.drawn.eq(self.drawn), self.draws.eq(operands.draws)]
        enable = Signal()
        # The same of an operation whose results go to the buffer, which does not wait for accumulators.
        enable_written = Signal()
        stages = self._stages(m, operands, parameters, enable)
        self._feed(m, operands, parameters, lanes, stages[0], enable)
        self._sum(m, operands, accumulators, lanes, stages, enable, enable_written)
        y = self._look_up(m, platform, lanes, enable, stages[-2].valid & stages[-2].last)
        # Where nothing is under way, nothing is clocked.
        under_way = Signal()
        last = self._last(m, stages, enable)
        leaves = self._give(m, accumulators, lanes, stages, last, enable, y, under_way)
        *before, lanes_end, _ = (stage.valid for stage in stages)
        m.d.comb += [
            under_way.eq(operands.o.valid | Cat(stage.valid for stage in stages).any()),
            enable_written.eq(under_way & (~self.write.valid | self.write.ready)),
            # Only what leaves in this cycle is under way.
            self.done.eq(
                ~(operands.waiting | Cat(before).any() | (lanes_end & (job.kind == Kind.TABLE))) & leaves),
            parameters.write.eq(self.memory.valid & ~self.memory.p.table), self.memory.ready.eq(1),
            parameters.write_index.eq(self.memory.p.index[1:]), parameters.write_data.eq(self.memory.p.data),
        ]
        return self.resets(m)

    def _stages(self, m: Module, operands: Operands, parameters: Parameters, enable: Value) -> list[Any]:
        """What goes along with the operands through the lanes; numbers of the first parameters and sums of a group."""
        job, beat = self.job, operands.o.p
        first = Signal(INDEX_BITS)
        total = Signal(8)
        # Parameters go by elements, not by terms: they move on with the last term of a group.
        ends = enable & operands.o.valid & beat.step.last
        stages: list[Any] = [Signal(StageLayout(self.cfg), name=f"stage_{k + 1}") for k in range(_LATE)]
        with m.If(self.start):
            m.d.sync += [first.eq(job.parameters), total.eq(0)]
        with m.Elif(ends):
            m.d.sync += [first.eq(Mux(beat.wrap, job.parameters, first + beat.count)), total.eq(total + beat.count)]
        m.d.comb += [
            operands.o.ready.eq(enable), parameters.read.eq(enable & operands.o.valid),
            parameters.index.eq(first + Mux(beat.second, job.period, 0)),
        ]
        with m.If(enable):
            m.d.sync += [
                stages[0].valid.eq(operands.o.valid & ~beat.step.hold), stages[0].first.eq(beat.step.first),
                stages[0].last.eq(beat.step.last), stages[0].count.eq(beat.count), stages[0].sum.eq(total),
                *(after.eq(before) for before, after in pairwise(stages)),
            ]
        return stages

    def _last(self, m: Module, stages: list[Any], enable: Value) -> Any:
        """The stage of the results, which is among them from now on."""
        looks_up = Signal(name="job_looks_up")
        m.d.sync += looks_up.eq(self.job.kind == Kind.TABLE)
        late = Signal(StageLayout(self.cfg), name="stage_table")
        last = Signal(StageLayout(self.cfg), name="stage_last")
        m.d.comb += last.eq(Mux(looks_up, late, stages[-1]))
        with m.If(enable):
            m.d.sync += [late.eq(stages[-1]), late.valid.eq(stages[-1].valid & looks_up)]
        stages.append(late)
        return last

    def _feed(
        self, m: Module, operands: Operands, parameters: Parameters, lanes: list[Lane], stage: data.View, enable: Value
    ) -> None:
        """Operands, with the parameters that were read for them, into the lanes."""
        job = self.job
        beat = Signal(BeatLayout(self.cfg), reset_less=True)
        with m.If(enable):
            m.d.sync += beat.eq(operands.o.payload)
            # Nothing comes: a bubble must not end or begin a sum.
            with m.If(~operands.o.valid):
                m.d.sync += beat.step.eq(0)
        maximum = job.kind == Kind.MAX
        for k, lane in enumerate(lanes):
            m.d.comb += [
                lane.enable.eq(enable), lane.x.eq(beat.x[k]), lane.step.eq(beat.step), lane.live.eq(stage.valid),
                lane.constants.eq(parameters.o[k]), lane.lo.eq(job.lo), lane.hi.eq(job.hi),
                lane.maximum.eq(maximum), lane.product.eq(job.kind == Kind.PRODUCT),
                lane.shift.eq(Mux(maximum, 0, job.shift)),
            ]

    def _sum(
        self, m: Module, operands: Operands, accumulators: Accumulators, lanes: list[Lane], stages: list[Any],
        enable: Value, enable_written: Value
    ) -> None:
        """Accumulators as a source, as what sums begin with, and what is added to them."""
        second, third = stages[1], stages[2]
        asks = Signal()
        m.d.comb += [
            # A sum that goes on is read a stage before it is added to. Its results never go to the accumulators.
            asks.eq(enable_written & second.valid & second.first & self.job.add),
            operands.sum_wait.eq(self.job.add & ((second.valid & second.first) | (third.valid & third.first))),
            accumulators.index.eq(Mux(asks, second.sum, operands.sum_index)),
            accumulators.read.eq(asks | operands.sum_read),
        ]
        for lane in lanes:
            m.d.comb += [lane.adds.eq(third.valid), lane.begins.eq(third.first)]
        for lane, accumulator, operand in zip(lanes, accumulators.o, operands.sums, strict=False):
            m.d.comb += [operand.eq(accumulator[:16]), lane.init.eq(accumulator), lane.goes_on.eq(self.job.add)]
        summing = lanes[:AT_A_TIME]
        for k, lane in enumerate(summing):
            m.d.comb += [accumulators.made[k].eq(lane.made), accumulators.tag[k].eq(lane.tag)]
        live = Signal(AT_A_TIME, reset_less=True)
        same = Signal(reset_less=True)
        m.d.comb += [accumulators.live.eq(live), accumulators.same.eq(same)]
        with m.If(enable):
            m.d.sync += [
                live.eq(Cat(stages[-2].count > k for k in range(AT_A_TIME))),
                same.eq(summing[0].tag_next.target == summing[1].tag_next.target),
            ]

    def _look_up(self, m: Module, platform: object, lanes: list[Any], enable: Value, comes: Value) -> list[Value]:
        """Results of the lanes; of a table what stands there, an edge later, read where a result comes."""
        m.submodules.tables = memory = block_memory(platform, 16, TABLES * TABLE_ENTRIES)
        read = memory.read_port()
        write = memory.write_port()
        looks_up = self.job.kind == Kind.TABLE
        m.d.comb += [
            # The address is taken before the register of the result: so a table costs one edge, not two.
            read.addr.eq(Cat(lanes[0].y_next[: _TABLE_BITS - 1], self.job.b[0])),
            read.en.eq(enable & comes & looks_up & ~write.en),
            write.addr.eq(self.memory.p.index), write.data.eq(self.memory.p.data[32:]),
            write.en.eq(self.memory.valid & self.memory.p.table),
        ]
        entry = Signal(16, name="looked_up", reset_less=True)
        y = [lane.y.as_unsigned() for lane in lanes]
        with m.If(enable):
            m.d.sync += entry.eq(read.data)
        return [Mux(looks_up, entry, y[0]), *y[1:]]

    def _give(
        self, m: Module, accumulators: Accumulators, lanes: list[Lane], stages: list[Any], stage: data.View,
        enable: Value, y: list[Value], under_way: Value
    ) -> Value:
        """Results to the accumulators or the buffer; whether those at the end of the lanes, if any, leave."""
        job, at_end = self.job, stages[-2]
        address = Signal(ADDRESS_BITS)
        to_sums = Signal()
        gives = Signal()
        leaves = Signal(name="results_leave")
        wide, narrow = Cat(y)[:64], Cat(result[:8] for result in y)
        m.d.comb += [
            gives.eq(stage.valid & stage.last), accumulators.valid.eq(at_end.valid & at_end.last & to_sums),
            self.write.valid.eq(gives & ~to_sums), self.write.address.eq(address),
            # What is above the bytes that are written is anything.
            self.write.data.eq(Cat(Mux(job.wide, wide[: len(narrow)], narrow), wide[len(narrow) :])),
            self.write.bytes.eq(stage.count << job.wide),
            leaves.eq(~gives | Mux(to_sums, accumulators.ready, self.write.ready)), enable.eq(under_way & leaves),
        ]
        if self.cfg.trace:
            total: Value = C(0)
            for k, result in enumerate(y):
                total = total + Mux(stage.count > k, result.as_signed(), 0)
            m.d.comb += [self.adds.eq(self.write.valid & self.write.ready), self.total.eq(total)]
        with m.If(self.start):
            m.d.sync += to_sums.eq(job.target == Operand.ACCUMULATORS)
        with m.If(self.holds):
            m.d.sync += address.eq(self.target_block + (job.target_offset << job.wide))
        with m.Elif(self.write.valid & self.write.ready):
            m.d.sync += address.eq(address + self.write.bytes)
        return leaves
