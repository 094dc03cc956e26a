# amaranth: UnusedElaboratable=no
"""Components that together hold every construct that the Verilog writer knows."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from mho.hw.block import named, reset_name


class Mode(enum.Enum, shape=2):
    """Modes of an operation."""

    Add = 0
    Clear = 1
    Keep = 3


Payload = data.StructLayout({"value": 8, "mode": Mode, "signed": 1})


class Operators(wiring.Component):
    """All operators, with operands of different widths and signs."""

    def __init__(self) -> None:
        super().__init__({
            "a": In(7), "b": In(5), "c": In(signed(6)), "d": In(signed(4)), "s": In(3),
            "arithmetic": Out(64), "bitwise": Out(64), "compare": Out(32), "shift": Out(64), "parts": Out(32),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a, b, c, d, s = self.a, self.b, self.c, self.d, self.s
        wide = Cat(a, b, c, d, s, a)
        m.d.comb += [
            self.arithmetic.eq(Cat(
                a + b, a - b, (a * b)[:9], c + d, c - d, (c * d)[:9], (-c)[:6], (a - b + d)[:5], a + c,
            )),
            self.bitwise.eq(Cat(a & b, a | c, c ^ d, ~a, ~c, a.any(), b.all(), c.xor(), c.bool(), Mux(s[0], a, d))),
            self.compare.eq(Cat(
                a == b, a != c, c == d, c < d, c >= 0, a < b, a <= b, a > 17, a >= b, d < -3, a == 0,
                s[1] == 0, s[1] != 0,
            )),
            self.shift.eq(Cat(
                a << s, (c >> s)[:6], a >> s, (d << s)[:6], (c << 2)[:8], c >> 1, (a >> 3)[:4], Mux(s[0], a, b) << 3,
            )),
            self.parts.eq(Cat(
                wide.word_select(s[:2], 8), wide.bit_select(s, 5), a.bit_select(s, 1), c.bit_select(s[:2], 3),
                wide.word_select(s, 3), a[2:5],
            )),
        ]
        return m


class Machine(wiring.Component):
    """A machine, registers with and without reset, arrays, partial assignments, nested conditions."""

    def __init__(self) -> None:
        super().__init__({
            "i": In(stream.Signature(Payload)), "o": Out(stream.Signature(signed(10))),
            "go": In(1), "pick": In(3), "word": Out(12, init=9), "halves": Out(8), "flags": Out(4), "plain": Out(8),
            "looked": Out(6), "kept": Out(3),
        })
        reset_name(self.word, "WORD_AT_RESET")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step = named(m, "WORD_STEP", 3, 2)
        m.d.sync += [self.halves.eq(self.pick), self.halves[:4].eq(self.pick + step), self.halves[4:].eq(step == 3)]
        # An enumeration outside of a machine.
        mode = Signal(Mode)
        with m.Switch(mode):
            with m.Case(Mode.Clear):
                m.d.sync += mode.eq(Mode.Keep)
            with m.Case(Mode.Keep):
                m.d.sync += [self.kept.eq(self.pick), mode.eq(Mux(self.go, Mode.Clear, Mode.Add))]
            with m.Default():
                m.d.sync += mode.eq(Mode.Clear)
        total = Signal(signed(10), init=-3)
        entries = Array([Signal(6, name=f"entry_{k}", init=k) for k in range(5)])
        unreset = Signal(8, reset_less=True)
        m.d.sync += unreset.eq(unreset + self.pick)
        # A register without reset has a value only once it has been given one.
        with m.If(self.go):
            m.d.sync += unreset.eq(self.i.p.value)
        m.d.comb += [self.plain.eq(unreset), self.looked.eq(entries[self.pick]), self.o.payload.eq(total)]
        with m.FSM(init="Wait"):
            with m.State("Wait"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += entries[self.pick].eq(self.i.p.value)
                    with m.Switch(self.i.p.mode):
                        with m.Case(Mode.Add):
                            value = self.i.p.value
                            m.d.sync += total.eq(total + Mux(self.i.p.signed, value.as_signed(), value))
                            m.next = "Show"
                        with m.Case(Mode.Clear):
                            m.d.sync += [total[:3].eq(0), total[7].eq(self.go)]
                        with m.Default():
                            m.d.sync += total.eq(~total)
            with m.State("Show"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready & self.go):
                    m.next = "Rest"
                with m.Elif(self.o.ready):
                    m.next = "Wait"
            with m.State("Rest"):
                m.next = "Wait"
        with m.Switch(Cat(self.pick, self.go)):
            with m.Case("1--1", "0011"):
                m.d.comb += self.flags.eq(5)
            with m.Case("-1--"):
                m.d.comb += [self.flags[0].eq(1), self.flags[2:].eq(self.pick[:2])]
        with m.If(self.pick[0]):
            m.d.sync += self.word[:4].eq(self.pick)
        with m.Elif(self.pick[1]):
            m.d.sync += self.word.eq(self.word + step)
        with m.Elif(self.go):
            pass
        with m.Else():
            m.d.sync += self.word[8:].eq(total)
        return m


class Store(wiring.Component):
    """Memories: byte enables, a transparent port."""

    def __init__(self) -> None:
        super().__init__({
            "addr": In(3), "at": In(3), "value": In(16), "lanes": In(2), "read": In(1), "q": Out(16), "t": Out(16),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, out in (("plain", self.q), ("through", self.t)):
            m.submodules[name] = memory = Memory(shape=16, depth=8, init=[])
            write = memory.write_port(granularity=8)
            read = memory.read_port(transparent_for=[write] if name == "through" else [])
            m.d.comb += [
                write.addr.eq(self.addr), write.data.eq(self.value), write.en.eq(self.lanes),
                read.addr.eq(self.at), read.en.eq(self.read), out.eq(read.data),
            ]
        return m


class Gallery(wiring.Component):
    """Everything, and two equal blocks."""

    def __init__(self) -> None:
        ports = {}
        for prefix, part in (("x", Operators()), ("y", Machine()), ("z", Store())):
            ports |= {f"{prefix}_{name}": member for name, member in part.signature.members.items()}
        super().__init__({**ports, "first": Out(12), "second": Out(12)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts = {"x": Operators(), "y": Machine(), "z": Store()}
        for prefix, part in parts.items():
            m.submodules[type(part).__name__.lower()] = part
            for name, member in part.signature.members.items():
                inner, outer = getattr(part, name), getattr(self, f"{prefix}_{name}")
                if member.is_signature:
                    wiring.connect(m, inner=inner, outer=wiring.flipped(outer))
                else:
                    m.d.comb += outer.eq(inner) if member.flow is Out else inner.eq(outer)
        for name, out in (("first", self.first), ("second", self.second)):
            m.submodules[name] = twin = Machine()
            m.d.comb += [twin.go.eq(self.y_go), twin.pick.eq(self.y_pick), twin.i.valid.eq(self.y_i.valid)]
            m.d.comb += [twin.i.payload.eq(self.y_i.payload), twin.o.ready.eq(self.y_o.ready), out.eq(twin.word)]
        return m
