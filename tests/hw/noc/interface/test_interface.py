"""The network interface equals its model in every cycle, whatever arrives; its blocks wait for their credits."""

import random
from typing import Any

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations, FlitLayout, host_destination
from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.interface.tables import (
    UNIT,
    Counter,
    credit,
    credit_tag,
    destination_bits,
    flow_word,
    register_tag,
    slot_word,
)
from mho.hw.noc.model import TableRow
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import simulate
from tests.hw.noc.interface.interface_model import InterfaceModel, Pins, Tx
from tests.hw.noc.interface.tables_model import Body, Flit, is_legal

Inputs = dict[str, Any]


def read_pins(ctx: Any, dut: Any, cfg: MeshConfig) -> Pins:
    flit = ctx.get(dut.inject.payload.as_value())
    p, t = cfg.payload_bits, cfg.tag_bits
    parts = Flit(flit & ((1 << p) - 1), flit >> p & ((1 << t) - 1), bool(flit >> (p + t) & 1), flit >> (p + t + 1))
    rx = (ctx.get(dut.rx.payload.payload), ctx.get(dut.rx.payload.slot)) if ctx.get(dut.rx.valid) else None
    return Pins(
        eject_ready=bool(ctx.get(dut.eject.ready)), tx_ready=bool(ctx.get(dut.tx.ready)),
        release_ready=bool(ctx.get(dut.release.ready)), answer_ready=bool(ctx.get(dut.answer.ready)),
        tables_ready=bool(ctx.get(dut.tables.ready)), rx=rx,
        request=ctx.get(dut.request.payload) if ctx.get(dut.request.valid) else None,
        inject=parts if ctx.get(dut.inject.valid) else None,
        counters=tuple(ctx.get(dut.counters[counter.name.lower()]) for counter in Counter),
    )


def drive(ctx: Any, dut: Any, cfg: MeshConfig, inputs: Inputs) -> None:
    tx, release, eject, answer, write = (inputs.get(n) for n in ("tx", "release", "eject", "answer", "write"))
    p = cfg.payload_bits
    ctx.set(dut.tx.valid, tx is not None)
    ctx.set(dut.tx.payload.as_value(), tx.payload | tx.flow << p | tx.last << (p + 4) if tx else 0)
    ctx.set(dut.release.valid, release is not None)
    ctx.set(dut.release.payload, release or 0)
    ctx.set(dut.answer.valid, answer is not None)
    ctx.set(dut.answer.payload, answer or 0)
    ctx.set(dut.eject.valid, eject is not None)
    ctx.set(dut.eject.payload.as_value(), eject.payload | eject.tag << p if eject else 0)
    for table in ("flow", "members", "slot"):
        ctx.set(getattr(dut.tables, table), write is not None and write.table == table)
    ctx.set(dut.tables.row, write.row if write else 0)
    ctx.set(dut.tables.value, write.value if write else 0)
    ctx.set(dut.inject.ready, inputs.get("ready", -1))
    ctx.set(dut.lost, inputs.get("lost", False))


def random_write(rng: random.Random, cfg: MeshConfig) -> TableRow:
    """Mostly legal, with few rows so that they meet."""
    to = Destinations.one(rng.randrange(cfg.columns), rng.randrange(cfg.rows))
    table, row = rng.choice(("flow", "members", "slot")), rng.randrange(min(3, register_tag(cfg)))
    if rng.random() < 0.1:
        return TableRow(table, row, rng.getrandbits(22))
    if table == "flow":
        return TableRow(table, row, flow_word(cfg, None if rng.random() < 0.4 else to, row))
    if table == "members":
        return TableRow(table, row, rng.randrange(4))
    sender = rng.choice((None, rng.randrange(cfg.nodes)))
    return TableRow(table, row, slot_word(cfg, sender, rng.randrange(16), in_use=rng.random() < 0.8))


def random_inputs(rng: random.Random, cfg: MeshConfig) -> Inputs:
    """Inputs of a cycle, without what waits for ready."""
    inputs: Inputs = {"ready": rng.choice((1, 1, 0, 1)), "lost": rng.random() < 0.2}
    if rng.random() < 0.6:
        kind = rng.random()
        if kind < 0.3:
            inputs["eject"] = Body(credit(rng.randrange(3), rng.randrange(2)), credit_tag(cfg))
        else:
            tag = register_tag(cfg) if kind < 0.4 else rng.randrange(4) % register_tag(cfg)
            inputs["eject"] = Body(rng.getrandbits(cfg.payload_bits), tag)
    return inputs


@pytest.mark.slow
@pytest.mark.parametrize(
    "cfg",
    [
        MeshConfig(columns=3, rows=2, payload_bits=32),
        MeshConfig(columns=8, rows=8, payload_bits=64, contexts=4),
        MeshConfig(columns=9, rows=3, payload_bits=32, contexts=0, tag_bits=3),
        MeshConfig(columns=16, rows=16, payload_bits=32, contexts=1),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}",
)
def test_hardware_equals_the_model_in_every_cycle(cfg: MeshConfig) -> None:
    # Everything has happened.
    assert all(count > 5 for count in compare(cfg, 3000).counters.values())


def test_hardware_equals_the_model_for_a_while() -> None:
    compare(MeshConfig(columns=3, rows=2, payload_bits=32), 500)


def compare(cfg: MeshConfig, cycles: int) -> InterfaceModel:
    """The model, behind so many cycles in which the hardware was equal to it."""
    dut: Any = NetworkInterface(cfg)
    model, rng = InterfaceModel(cfg), random.Random(cfg.nodes)

    async def bench(ctx: Any) -> None:
        tx: Tx | None = None
        release: int | None = None
        answer: int | None = None
        write: TableRow | None = None
        for cycle in range(cycles):
            if tx is None and rng.random() < 0.7:
                tx = Tx(rng.getrandbits(cfg.payload_bits), rng.randrange(4), rng.random() < 0.4)
            if release is None and rng.random() < 0.2:
                release = rng.randrange(4)
            if answer is None and rng.random() < 0.1:
                answer = rng.getrandbits(32)
            if write is None and rng.random() < 0.2:
                write = random_write(rng, cfg)
            inputs = random_inputs(rng, cfg) | {"tx": tx, "release": release, "answer": answer, "write": write}
            if cycle < 16:
                inputs["eject"] = None
            drive(ctx, dut, cfg, inputs)
            pins = read_pins(ctx, dut, cfg)
            assert pins == model.step(**inputs), cycle
            tx = None if pins.tx_ready else tx
            release = None if pins.release_ready else release
            answer = None if pins.answer_ready else answer
            write = None if pins.tables_ready else write
            await ctx.tick()

    simulate(dut, bench, deadline=cycles + 1000)
    return model


CFG = MeshConfig(columns=3, rows=2, payload_bits=32)


def configured(*rows: TableRow) -> InterfaceModel:
    model = InterfaceModel(CFG)
    for _ in range(16):
        assert not model.step().tables_ready
    for row in rows:
        assert model.step(write=row).tables_ready
    return model


def flow(number: int, to: Destinations | None, slot: int) -> TableRow:
    return TableRow("flow", number, flow_word(CFG, to, slot))


def slot(number: int, sender: int | None, of: int) -> TableRow:
    return TableRow("slot", number, slot_word(CFG, sender, of))


def test_two_blocks_are_under_way_at_most() -> None:
    to = Destinations((1, 2), (0,))
    model = configured(flow(2, to, 5), TableRow("members", 2, 2))
    tx = Tx(7, 2, True)
    assert [model.step(tx=tx).tx_ready for _ in range(4)] == [True, True, False, False]

    def give(parity: int) -> None:
        model.step(eject=Body(credit(2, parity), credit_tag(CFG)))
        model.step()

    # Two credits for the second block are none for the first.
    give(1)
    give(1)
    give(0)
    assert not model.step(tx=tx).tx_ready
    give(0)
    assert [model.step(tx=tx).tx_ready for _ in range(3)] == [True, True, False]
    assert model.counters[Counter.WAITS] == 4


def test_a_block_for_the_host_has_a_credit_for_each_unit_of_flits() -> None:
    """However long it is, and whatever flow its later flits name; to nodes a block goes whole."""
    tx = [Tx(k, 0 if k else 2, False) for k in range(4 * UNIT)]
    for to, rows, limit in ((None, 1, 2 * UNIT), (None, 0, 4 * UNIT), (Destinations((1,), (0,)), 1, 4 * UNIT)):
        model, sent, cycle = configured(flow(2, to, 5), TableRow("members", 2, rows)), 0, 0
        for _ in range(3 * UNIT):
            sent += model.step(tx=tx[sent % len(tx)]).tx_ready
        assert sent == min(limit, 3 * UNIT)
        if limit == 2 * UNIT:
            # A credit of the second unit is none for the third; one of the first is, and one for a unit more.
            for parity, more in ((1, 0), (0, 2 * UNIT)):
                model.step(eject=Body(credit(2, parity), credit_tag(CFG)))
                before = sent
                while cycle < 4 * UNIT * (parity + 1):
                    sent, cycle = sent + model.step(tx=tx[sent % len(tx)]).tx_ready, cycle + 1
                assert sent - before == more
                cycle = 0


def test_a_flow_that_is_set_up_anew_begins_a_block() -> None:
    model = configured(flow(2, None, 5), flow(3, None, 6), TableRow("members", 2, 1))
    assert [model.step(tx=Tx(7, 2, False)).tx_ready for _ in range(2 * UNIT + 1)] == [True] * 2 * UNIT + [False]
    assert not model.step(tx=Tx(8, 3, True)).tx_ready
    model.step(write=TableRow("members", 3, 1))
    assert not model.step(tx=Tx(8, 3, True)).tx_ready
    model.step(write=TableRow("members", 2, 1))
    assert model.step(tx=Tx(8, 3, True)).tx_ready
    assert model.step().inject == Flit(8, 6, True, host_destination(CFG))


def test_a_flit_is_at_the_router_a_cycle_after_it_was_offered() -> None:
    to = Destinations((1, 2), (0, 1))
    model = configured(flow(2, to, 5), TableRow("members", 2, 4))
    assert model.step(tx=Tx(7, 2, False)).inject is None
    assert model.step(tx=Tx(8, 0, True)).inject == Flit(7, 5, False, to.pack(CFG))
    # The flow of a block is that of its first flit.
    assert model.step().inject == Flit(8, 5, False, to.pack(CFG))


def test_a_freed_block_gives_a_credit_to_its_sender() -> None:
    model = configured(slot(3, 5, 9), slot(4, None, 1))
    sent = []
    for freed in (3, 3, 4, 3, 7):
        pins = model.step(release=freed)
        assert pins.release_ready
        sent.append(pins.inject)
    sent.append(model.step().inject)
    five = Destinations.one(2, 1).pack(CFG)
    host, tag = host_destination(CFG), credit_tag(CFG)
    assert sent == [
        None, Flit(credit(9, 0), tag, False, five), Flit(credit(9, 1), tag, False, five),
        Flit(credit(1, 0), tag, True, host), Flit(credit(9, 0), tag, False, five), None,
    ]
    assert model.counters[Counter.REFUSED] == 1


def test_answers_go_to_the_host_after_credits() -> None:
    model = configured(slot(3, 5, 9))
    pins = model.step(release=3, answer=77, tx=Tx(1, 2, True))
    assert (pins.release_ready, pins.answer_ready, pins.tx_ready) == (True, False, False)
    pins = model.step(answer=77, tx=Tx(1, 2, True))
    assert (pins.answer_ready, pins.tx_ready) == (True, False)
    assert model.step().inject == Flit(77, register_tag(CFG), True, host_destination(CFG))


def test_what_is_for_nobody_is_dropped() -> None:
    model = configured(slot(3, 5, 9), TableRow("flow", 5, flow_word(CFG, None, 3) + (11 << 16)))
    assert model.step(eject=Body(1, 3)).rx == (1, 3)
    assert model.step(eject=Body(1, 4)).rx is None
    model.step(eject=Body(credit(2, 0), credit_tag(CFG)))
    for _ in range(2):
        model.step()
    assert model.counters[Counter.DROPPED] == 2
    # Without a legal set of destinations, or with a tag that is no slot, a flow drops what it is given.
    assert [model.step(tx=Tx(1, number, True)).tx_ready for number in (8, 8, 5)] == [True] * 3
    assert model.counters[Counter.REFUSED] == 3
    assert model.counters[Counter.SENT] == 0


def test_a_credit_goes_before_a_write() -> None:
    model = configured(flow(2, Destinations.one(1, 0), 5), TableRow("members", 2, 1))
    model.step(tx=Tx(7, 2, True))
    model.step(eject=Body(credit(2, 0), credit_tag(CFG)))
    row = TableRow("members", 3, 1)
    assert [model.step(write=row).tables_ready for _ in range(2)] == [False, True]


@pytest.mark.parametrize("cfg", [CFG, MeshConfig(columns=9, rows=2), MeshConfig(columns=16, rows=16)])
def test_legal_sets(cfg: MeshConfig) -> None:
    bits = destination_bits(cfg)
    assert FlitLayout(cfg).size == cfg.payload_bits + cfg.tag_bits + 1 + bits
    for to in range(0, 1 << 16, 1 if bits < 16 else 7):
        if cfg.masks:
            expected = 0 < to < 1 << bits and bool(to & 0b11) and to >> 2 > 0
        else:
            sides = ((cfg.rows, to), (cfg.columns, to >> (2 if cfg.rows == 2 else 8)))
            width = {2: 1, 9: 4, 16: 4}
            expected = to >> bits == 0
            for size, value in sides:
                first, last = value & ((1 << width[size]) - 1), value >> width[size] & ((1 << width[size]) - 1)
                expected &= first <= last < size
        assert is_legal(cfg, to) == expected, to


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: flow_word(CFG, Destinations.one(0, 0), 14), "slot must be 0 to 13, not 14"),
        (lambda: slot_word(CFG, 6, 0), "sender must be 0 to 5, not 6"),
        (lambda: slot_word(CFG, 5, 16), "flow must be 0 to 15, not 16"),
        (lambda: MeshConfig(tag_bits=5), "tag_bits must be 2 to 4, not 5"),
    ],
)
def test_refusals_of_rows(call: Any, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == sentence
