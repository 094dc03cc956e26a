"""Normal draws in hardware: Philox4x32-10 and the table of the inverse distribution."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out
from mho.macro_models.integer.random import LANES, PHILOX_MULTIPLIERS, PHILOX_ROUNDS, PHILOX_WEYL

NORMAL_WORDS = 2**14
"""Words of the table, two entries each: the half for draws from 2**15 on; the other half mirrors it."""

_ENTRY_BITS = 15


class NormalDraw(Resettable):
    """One draw of :func:`mho.macro_models.integer.random.normal_blocks`: the ``number``-th of a cell.

    54 cycles from ``start`` to ``done``. The multiplier is lent by the user, who leaves it alone meanwhile.
    """

    start = In(1)
    """Begin; the inputs below stay until ``done``."""
    cell_id = In(32)
    """Block of the draws."""
    number = In(32)
    """Number of the draw: eight of them share a block of the generator."""
    step = In(4)
    """Step of the purpose."""
    key = In(64)
    """Both words of the key, the first one below."""
    done = Out(1)
    """``z`` is the draw from the next cycle on, until the next ``start``."""
    busy = Out(1)
    """From ``start`` to ``done``: the multiplier is used."""
    z = Out(signed(_ENTRY_BITS + 1))
    """Normal code, in 2**-12."""
    a = Out(32)
    b = Out(32)
    """Factors for the multiplier."""
    product = In(64)
    """Their product three cycles later."""
    load = In(1)
    load_index = In(range(NORMAL_WORDS))
    load_data = In(32)
    """Write a word of the table: two entries of 16 bits."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counter = [Signal(32, name=f"counter_{k}", reset_less=True) for k in range(4)]
        keys = [Signal(32, name=f"key_{k}", reset_less=True) for k in range(2)]
        first = Signal(64, reset_less=True)
        left = Signal(range(PHILOX_ROUNDS))
        bits = Signal(_ENTRY_BITS + 1, reset_less=True)
        table = self._table(m, bits)
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("Idle"))
            with m.State("Idle"), m.If(self.start):
                begin = (self.cell_id, self.number[(LANES - 1).bit_length() :], Const(0, 32), self.step)
                m.d.sync += [word.eq(value) for word, value in zip(counter, begin, strict=True)]
                m.d.sync += [Cat(keys).eq(self.key), left.eq(PHILOX_ROUNDS - 1)]
                m.next = "First"
            with m.State("First"):
                m.d.comb += [self.a.eq(counter[0]), self.b.eq(PHILOX_MULTIPLIERS[0])]
                m.next = "Second"
            with m.State("Second"):
                m.d.comb += [self.a.eq(counter[2]), self.b.eq(PHILOX_MULTIPLIERS[1])]
                m.next = "Multiply"
            with m.State("Multiply"):
                m.next = "Keep"
            with m.State("Keep"):
                m.d.sync += first.eq(self.product)
                m.next = "Mix"
            with m.State("Mix"):
                self._mix(m, counter, keys, first)
                m.d.sync += left.eq(left - 1)
                m.next = "First"
                with m.If(left == 0):
                    m.next = "Select"
            with m.State("Select"):
                m.d.sync += bits.eq(Cat(counter).word_select(self.number[: (LANES - 1).bit_length()], len(bits)))
                m.next = "Look up"
            with m.State("Look up"):
                m.next = "Sign"
            with m.State("Sign"):
                m.d.comb += self.done.eq(1)
                m.d.sync += self.z.eq(Mux(bits[-1], table, -table))
                m.next = "Idle"
        return self.resets(m)

    def _mix(self, m: Module, counter: list[Signal], keys: list[Signal], first: Signal) -> None:
        """A round of Philox, from both products."""
        second = self.product
        m.d.sync += [
            counter[0].eq(second[32:] ^ counter[1] ^ keys[0]), counter[1].eq(second[:32]),
            counter[2].eq(first[32:] ^ counter[3] ^ keys[1]), counter[3].eq(first[:32]),
            *(key.eq(key + weyl) for key, weyl in zip(keys, PHILOX_WEYL, strict=True)),
        ]

    def _table(self, m: Module, bits: Value) -> Value:
        """Entry for a draw of the cycle before; the lower half of the draws mirrors the upper one."""
        m.submodules.normals = memory = Memory(shape=2 * _ENTRY_BITS, depth=NORMAL_WORDS, init=[])
        write: Any = memory.write_port()
        read: Any = memory.read_port()
        place = Mux(bits[-1], bits[:-1], ~bits[:-1])
        m.d.comb += [
            write.addr.eq(self.load_index), write.en.eq(self.load),
            write.data.eq(Cat(self.load_data[:_ENTRY_BITS], self.load_data[16 : 16 + _ENTRY_BITS])),
            read.addr.eq(place[1:]), read.en.eq(1),
        ]
        return Mux(place[0], read.data[_ENTRY_BITS:], read.data[:_ENTRY_BITS])
