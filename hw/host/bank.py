"""The bank of registers that a map describes."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from mho.hw.block import named, reset_name
from mho.hw.host.bus import RegisterBus
from mho.hw.host.registers import Access, Field, PlacedField, Register, RegisterMap, Window


def _field_member(field: Field) -> Any:
    if field.access is Access.R:
        return In(field.width)
    if field.access is Access.RW1C:
        return Out(Signature({"value": Out(field.width), "set": In(field.width)}))
    return Out(field.width, init=field.reset)  # pyright: ignore[reportCallIssue]


def _register_members(register: Register) -> dict[str, Any]:
    members = {field.name: _field_member(field) for field in register.fields if not field.constant}
    return members | ({"read": Out(1)} if register.read_strobe else {})


def _window_members(window: Window) -> dict[str, Any]:
    if window.access is Access.RW:
        raise ValueError(f"Window {window.name} must be R or W in a bank, not RW")
    members: dict[str, Any] = {"enable": Out(1), "address": Out(range(window.words)), "ready": In(1)}
    if window.access is Access.R:
        return members | {"data": In(32)}
    return members | {"data": Out(32), "strobe": Out(4)}


class RegisterBank(wiring.Component):
    """Registers and windows behind a :class:`RegisterBus`: two cycles an access, three where a window is read.

    What is written reaches its register or window in the cycle of the answer. A request for an address that the map
    does not have, and a part of a word for a window that takes whole words, answers with an error and does nothing.
    Writes to what is read only do nothing, reads of what is write only give 0.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    <register> : Out(Signature)
        One interface a register, with one member a field: the value (``R``: In, ``RW``: Out), a strobe of one cycle
        (``W``: Out), or ``value`` and ``set`` (``RW1C``; setting wins over clearing); ``read`` is high while the
        register is read, if the map asks for it. ``RW`` and ``RW1S`` are alike here.
    <window> : Out(Signature)
        ``enable`` while the word at ``address`` is read or written; a write has ``data`` and ``strobe``, and comes from
        flip-flops; read ``data`` comes one cycle later; the access waits for ``ready``.
    """

    bus: Any

    def __init__(self, map: RegisterMap) -> None:
        self.map = map
        members = {register.name: Out(Signature(_register_members(register))) for register in map.registers}
        members |= {window.name: Out(Signature(_window_members(window))) for window in map.windows}
        super().__init__({"bus": In(RegisterBus(map.address_width)), **members})
        for register in map.registers:
            for field in register.fields:
                if field.limited:
                    reset_name(self._port(register, field), f"{field.name.upper()}_AT_RESET")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.bus.request, self.bus.response
        accept, known, ready, answers = Signal(), Signal(), Signal(), Signal()
        word = Signal(32)
        # No path leads from the bus through limits and fan-out, nor from a memory to it: what is written, and what was
        # read, is in flip-flops first.
        self._address, self._data, self._strobe = (
            Signal(width, name=f"written_{name}")
            for name, width in (("address", len(request.p.address)), ("data", 32), ("strobe", 4)))
        self._mask = Cat(bit.replicate(8) for bit in self._strobe)
        m.d.comb += [accept.eq(request.valid & request.ready), response.p.data.eq(word)]
        with m.If(response.valid & response.ready):
            m.d.sync += answers.eq(0)
        with m.If(accept):
            m.d.sync += [answers.eq(1), response.p.error.eq(~known)]
            with m.If(request.p.write):
                m.d.sync += [
                    self._address.eq(request.p.address), self._data.eq(request.p.data),
                    self._strobe.eq(request.p.strobe),
                ]

        places: list[Value] = []
        for register in self.map.registers:
            at = Signal(name=f"at_{register.name}")
            m.d.comb += at.eq(request.p.address == register.address // 4)
            places.append(at)
            self._write(m, register, accept & request.p.write & at)
            if register.read_strobe:
                m.d.comb += getattr(self, register.name).read.eq(accept & ~request.p.write & at)
        # Read before it is known whether the request is taken: that comes late.
        value = Signal(32)
        with m.Switch(request.p.address):
            for register in self.map.registers:
                with m.Case(register.address // 4):
                    m.d.comb += value.eq(self._value(register))
        with m.If(ready):
            m.d.sync += word.eq(Mux(request.p.write, 0, value))
        waits: list[Value] = [Const(0)]
        shows: list[Value] = [Const(0)]
        puts: list[Value] = [Const(0)]
        for window in self.map.windows:
            inside = Signal(name=f"in_{window.name}")
            m.d.comb += inside.eq(self._inside(window))
            places.append(inside)
            if window.access is Access.R:
                wait, show = self._read_window(m, window, inside & ~request.p.write, ready, accept)
                waits.append(wait)
                shows.append(show)
                with m.If(show):
                    m.d.sync += word.eq(getattr(self, window.name).data)
            else:
                puts.append(self._write_window(m, window, inside & request.p.write & accept))
        m.d.comb += [
            known.eq(reduce(or_, places)), ready.eq(~answers), request.ready.eq(ready & ~reduce(or_, waits)),
            response.valid.eq(answers & ~reduce(or_, shows) & ~reduce(or_, puts)),
        ]
        return m

    def _port(self, register: Register, field: Field) -> Any:
        return getattr(getattr(self, register.name), field.name)

    def _value(self, register: Register) -> Value:
        parts: list[Value] = []
        for field in register.fields:
            if field.constant:
                parts.append(Const(field.reset, field.width))
            elif field.access is Access.W:
                parts.append(Const(0, field.width))
            else:
                port = self._port(register, field)
                parts.append(port.value if field.access is Access.RW1C else port)
        return Cat(*parts)

    def _write(self, m: Module, register: Register, hit: Value) -> None:
        """Effects of a write on the fields of a register."""
        fields = [placed for placed in register.placed if placed.field.access is not Access.R]
        write: Value = Signal(name=f"write_{register.name}")
        if fields:
            m.d.sync += write.eq(hit)
        if register.locked:
            write = write & ~self._lock
        for placed in fields:
            access, port = placed.field.access, self._port(register, placed.field)
            bits = slice(placed.low, placed.high + 1)
            data, enabled = self._data[bits], self._mask[bits]
            if access is Access.W:
                m.d.comb += port.eq(Mux(write, data & enabled, 0))
            elif access is Access.RW:
                value = (port & ~enabled) | (data & enabled)
                if placed.field.limited:
                    value = (port & ~enabled) | (self._limited(m, register, placed, value) & enabled)
                with m.If(write):
                    m.d.sync += port.eq(value)
            elif access is Access.RW1S:
                with m.If(write):
                    m.d.sync += port.eq(port | (data & enabled))
            else:
                m.d.sync += port.value.eq((port.value & ~Mux(write, data & enabled, 0)) | port.set)

    def _limited(self, m: Module, register: Register, placed: PlacedField, value: Value) -> Value:
        """A value that is written, brought into the range of its field; only bytes that are written are taken of it."""
        field = placed.field
        low_end, high_end = (named(m, f"{field.name.upper()}_{word}", value, field.width)
                             for word, value in zip(("LEAST", "MOST"), field.range, strict=True))
        written = Signal(field.width, name=f"given_{field.name}")
        above = Const(0)
        if placed == register.placed[-1]:
            above = (self._data & self._mask)[placed.high + 1 :].any()
        m.d.comb += written.eq(value)
        if field.range[1] < 2**field.width - 1:
            above |= written > high_end
        value = Mux(above, high_end, Mux(written < low_end, low_end, written))
        if placed.low // 8 == placed.high // 8:
            return value
        # With the other bytes it may be out of range again: then nothing is taken.
        port, enabled = self._port(register, field), self._mask[placed.low : placed.high + 1]
        joined = Signal(field.width, name=f"joined_{field.name}")
        m.d.comb += joined.eq((port & ~enabled) | (value & enabled))
        outside = joined < low_end
        if field.range[1] < 2**field.width - 1:
            outside |= joined > high_end
        return Mux(outside, port, joined)

    @property
    def _lock(self) -> Value:
        """Whether locked registers keep their values."""
        if self.map.lock is None:
            return Const(0)
        (field,) = self.map[self.map.lock].fields  # pyright: ignore[reportAttributeAccessIssue]
        return getattr(getattr(self, self.map.lock), field.name)

    def _inside(self, window: Window) -> Value:
        """Whether a request is for a window."""
        request, first = self.bus.request.p, window.address // 4
        whole = window.access is Access.R or window.byte_writes
        here = (request.address >= first) & (request.address < first + window.words)
        return here if whole else here & (~request.write | request.strobe.all())

    def _read_window(
        self, m: Module, window: Window, taken: Value, free: Value, accept: Value
    ) -> tuple[Value, Signal]:
        """Drive a window that is read; whether the request has to wait for it, and whether its word comes now."""
        request, port = self.bus.request, getattr(self, window.name)
        takes, shows = Signal(name=f"take_{window.name}"), Signal(name=f"show_{window.name}")
        m.d.comb += [
            takes.eq(taken), port.address.eq(request.p.address - window.address // 4),
            port.enable.eq(request.valid & free & takes),
        ]
        m.d.sync += shows.eq(accept & takes)
        return takes & ~port.ready, shows

    def _write_window(self, m: Module, window: Window, taken: Value) -> Value:
        """Drive a window that is written; whether a word waits for it."""
        port, put = getattr(self, window.name), Signal(name=f"put_{window.name}")
        with m.If(port.ready):
            m.d.sync += put.eq(0)
        with m.If(taken):
            m.d.sync += put.eq(1)
        m.d.comb += [
            port.enable.eq(put), port.address.eq(self._address - window.address // 4), port.data.eq(self._data),
            port.strobe.eq(self._strobe),
        ]
        return put & ~port.ready
