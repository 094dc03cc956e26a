"""The network interface equals its model in every cycle, whatever arrives; its blocks wait for their credits."""

import random
from typing import Any

import pytest

from hw.noc.config import MeshConfig
from hw.noc.flit import Destinations, FlitLayout
from hw.noc.interface.control import (
    Counter,
    Operation,
    answer,
    control_tag,
    credit,
    destination_bits,
    read,
    write_entry,
    write_flow,
    write_members,
    write_slot,
)
from hw.noc.interface.interface import NetworkInterface
from hw.noc.interface.model import Body, Flit, InterfaceModel, Pins, Tx, is_legal
from hw.noc.ports import Port
from hw.noc.reduction.trees import Entry
from hw.testing import simulate
from macro_models.errors import InputError

Inputs = dict[str, Any]


def read_pins(ctx: Any, dut: Any, cfg: MeshConfig) -> Pins:
    flit = ctx.get(dut.inject.payload.as_value())
    p, t = cfg.payload_bits, cfg.tag_bits
    parts = Flit(flit & ((1 << p) - 1), flit >> p & ((1 << t) - 1), bool(flit >> (p + t) & 1), flit >> (p + t + 1))
    rx = (ctx.get(dut.rx.payload.payload), ctx.get(dut.rx.payload.slot)) if ctx.get(dut.rx.valid) else None
    setup = None
    if cfg.contexts and ctx.get(dut.setup.valid):
        context = ctx.get(dut.setup.context) if cfg.contexts > 1 else 0
        setup = context, ctx.get(dut.setup.entry.as_value())
    return Pins(
        eject_ready=bool(ctx.get(dut.eject.ready)), tx_ready=bool(ctx.get(dut.tx.ready)),
        release_ready=bool(ctx.get(dut.release.ready)), rx=rx,
        inject=parts if ctx.get(dut.inject.valid) else None, setup=setup,
    )


def drive(ctx: Any, dut: Any, cfg: MeshConfig, given: Inputs) -> None:
    tx, release, eject = given.get("tx"), given.get("release"), given.get("eject")
    p = cfg.payload_bits
    ctx.set(dut.tx.valid, tx is not None)
    ctx.set(dut.tx.payload.as_value(), tx.payload | tx.flow << p | tx.last << (p + 4) if tx else 0)
    ctx.set(dut.release.valid, release is not None)
    ctx.set(dut.release.payload, release or 0)
    ctx.set(dut.eject.valid, eject is not None)
    ctx.set(
        dut.eject.payload.as_value(), eject.payload | eject.tag << p | eject.host << (p + cfg.tag_bits) if eject else 0
    )
    ctx.set(dut.inject.ready, given.get("ready", -1))
    ctx.set(dut.lost, given.get("lost", 0))


def random_control(rng: random.Random, cfg: MeshConfig) -> int:
    """Mostly legal, with few rows so that they meet."""
    to = Destinations.one(rng.randrange(cfg.columns), rng.randrange(cfg.rows))
    choice = rng.randrange(8)
    if choice == 0:
        return write_flow(cfg, rng.randrange(3), to, rng.randrange(1 << cfg.tag_bits), host=rng.random() < 0.2)
    if choice == 1:
        return write_members(cfg, rng.randrange(3), rng.randrange(4))
    if choice == 2:
        sender = rng.choice((None, rng.randrange(cfg.nodes)))
        return write_slot(cfg, rng.randrange(3), sender, rng.randrange(16), in_use=rng.random() < 0.8)
    if choice == 3 and cfg.contexts:
        entry = Entry(children=frozenset((Port.EAST,)), local=True, parent=Port.LOCAL)
        return write_entry(cfg, rng.randrange(cfg.contexts), entry)
    if choice == 4:
        return read(Counter(rng.randrange(len(Counter))), rng.randrange(512))
    if choice == 5:
        return rng.getrandbits(32)
    return credit(rng.randrange(3), rng.randrange(2))


def random_inputs(rng: random.Random, cfg: MeshConfig) -> Inputs:
    """Inputs of a cycle, without what waits for ready."""
    given: Inputs = {
        "ready": rng.choice((-1, -1, 0, 1)) & ((1 << cfg.queues) - 1),
        "lost": rng.choice((0, 0, 0, 1, 2, 3)),
    }
    if rng.random() < 0.6:
        if rng.random() < 0.6:
            given["eject"] = Body(random_control(rng, cfg), control_tag(cfg), rng.random() < 0.05)
        else:
            given["eject"] = Body(rng.getrandbits(cfg.payload_bits), rng.randrange(4), rng.random() < 0.05)
    return given


@pytest.mark.slow
@pytest.mark.parametrize(
    "cfg",
    [
        MeshConfig(columns=3, rows=2, payload_bits=32),
        MeshConfig(columns=8, rows=8, payload_bits=64, queues=2, contexts=4),
        MeshConfig(columns=9, rows=3, payload_bits=32, contexts=0, tag_bits=3),
        MeshConfig(columns=16, rows=16, payload_bits=32, contexts=1),
    ],
    ids=lambda cfg: f"{cfg.columns}x{cfg.rows}",
)
def test_hardware_equals_the_model_in_every_cycle(cfg: MeshConfig) -> None:
    dut: Any = NetworkInterface(cfg)
    model, rng = InterfaceModel(cfg), random.Random(cfg.nodes)

    async def bench(ctx: Any) -> None:
        tx: Tx | None = None
        release: int | None = None
        for cycle in range(3000):
            if tx is None and rng.random() < 0.7:
                tx = Tx(rng.getrandbits(cfg.payload_bits), rng.randrange(4), rng.random() < 0.4)
            if release is None and rng.random() < 0.2:
                release = rng.randrange(4)
            given = random_inputs(rng, cfg) | {"tx": tx, "release": release}
            if cycle < 16:
                given["eject"] = None
            drive(ctx, dut, cfg, given)
            pins = read_pins(ctx, dut, cfg)
            assert pins == model.step(**given), cycle
            tx = None if pins.tx_ready else tx
            release = None if pins.release_ready else release
            await ctx.tick()

    simulate(dut, bench, deadline=4000)
    # Everything has happened.
    assert all(count > 5 for count in model.counters.values()), model.counters


CFG = MeshConfig(columns=3, rows=2, payload_bits=32)


def configured(*words: int) -> InterfaceModel:
    model = InterfaceModel(CFG)
    for _ in range(16):
        model.step()
    for word in words:
        model.step(eject=Body(word, control_tag(CFG), False))
    model.step()
    return model


def test_two_blocks_are_under_way_at_most() -> None:
    to = Destinations((1, 2), (0,))
    model = configured(write_flow(CFG, 2, to, 5), write_members(CFG, 2, 2))
    tx = Tx(7, 2, True)
    assert [model.step(tx=tx).tx_ready for _ in range(4)] == [True, True, False, False]

    def give(parity: int) -> None:
        model.step(eject=Body(credit(2, parity), control_tag(CFG), False))
        model.step()

    # Two credits for the second block are none for the first.
    give(1)
    give(1)
    give(0)
    assert not model.step(tx=tx).tx_ready
    give(0)
    assert [model.step(tx=tx).tx_ready for _ in range(3)] == [True, True, False]
    assert model.counters[Counter.WAITS] == 4


def test_a_flit_is_at_the_router_a_cycle_after_it_was_offered() -> None:
    to = Destinations((1, 2), (0, 1))
    model = configured(write_flow(CFG, 2, to, 5), write_members(CFG, 2, 4))
    assert model.step(tx=Tx(7, 2, False)).inject is None
    assert model.step(tx=Tx(8, 0, True)).inject == Flit(7, 5, False, to.pack(CFG))
    # The flow of a block is that of its first flit.
    assert model.step().inject == Flit(8, 5, False, to.pack(CFG))


def test_a_freed_block_gives_a_credit_to_its_sender() -> None:
    model = configured(write_slot(CFG, 3, 5, 9), write_slot(CFG, 4, None, 1))
    sent = []
    for slot in (3, 3, 4, 3, 7):
        pins = model.step(release=slot)
        assert pins.release_ready
        sent.append(pins.inject)
    sent.append(model.step().inject)
    five = Destinations.one(2, 1).pack(CFG)
    host = Destinations.one(0, 0).pack(CFG)
    tag = control_tag(CFG)
    assert sent == [
        None, Flit(credit(9, 0), tag, False, five), Flit(credit(9, 1), tag, False, five),
        Flit(credit(1, 0), tag, True, host), Flit(credit(9, 0), tag, False, five), None,
    ]
    assert model.counters[Counter.REFUSED] == 1


def test_counters_are_read() -> None:
    model = configured(read(Counter.RECEIVED, 300), Operation.CREDIT << 29, 0, 7 << 29)
    flits = [model.step().inject for _ in range(3)]
    sent = [flit for flit in flits if flit]
    assert not sent  # it left while the others came
    model.step(eject=Body(read(Counter.DROPPED, 301), control_tag(CFG), False))
    found = [flit for flit in (model.step().inject for _ in range(4)) if flit]
    assert [(answer(flit.payload), flit.host) for flit in found] == [((301, 3), True)]


def test_what_is_for_nobody_is_dropped() -> None:
    model = configured(write_slot(CFG, 3, 5, 9))
    assert model.step(eject=Body(1, 3, False)).rx == (1, 3)
    assert model.step(eject=Body(1, 4, False)).rx is None
    assert model.step(eject=Body(1, 3, True)).rx is None
    model.step(eject=Body(Operation.WRITE << 29 | 0x2F << 22, control_tag(CFG), False))
    for _ in range(2):
        model.step()
    assert model.counters[Counter.DROPPED] == 3
    # Without a legal set of destinations a flow drops what it is given.
    assert [model.step(tx=Tx(1, 8, True)).tx_ready for _ in range(5)] == [True] * 5
    assert model.counters[Counter.REFUSED] == 5
    assert model.counters[Counter.SENT] == 0


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
        (lambda: write_flow(CFG, 16, Destinations.one(0, 0), 0), "flow must be 0 to 15, not 16"),
        (lambda: write_slot(CFG, 15, 0, 0), "slot must be 0 to 14, not 15"),
        (lambda: write_slot(CFG, 1, 6, 0), "sender must be 0 to 5, not 6"),
        (lambda: write_members(CFG, 1, 7), "members must be 0 to 6, not 7"),
        (lambda: write_entry(CFG, 2, Entry()), "context must be 0 to 1, not 2"),
        (lambda: read(Counter.SENT, 512), "token must be 0 to 511, not 512"),
        (
            lambda: NetworkInterface.members(MeshConfig(tag_bits=5)),
            "tag_bits must be 2 to 4 with network interfaces, not 5",
        ),
    ],
)
def test_refusals_of_control(call: Any, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == sentence
