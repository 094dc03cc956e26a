"""What is proven of the network, in the order of the table that ``./run prove`` prints."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.core.write_verify.decision import FaultMap
from mho.hw.host.core.host import InputBuffer, OutputBuffer
from mho.hw.memory import ParityBanks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo, RoundRobin
from mho.hw.noc.flit import Port
from mho.hw.noc.host_port import HostPort
from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.reduction.router import ReductionRouter
from mho.hw.noc.registers.node import RegisterMaster, RegisterServer
from mho.hw.noc.router.network import Network
from mho.hw.noc.router.router import Router
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.buffer import Buffer
from mho.hw.tile.rtl.engines.descriptors import Descriptors
from mho.hw.tile.rtl.engines.receive import Receiver
from mho.hw.tile.rtl.engines.send import SendEngine
from mho.hw.tile.rtl.engines.vector_control import VectorControl
from mho.hw.tile.rtl.lanes.accumulators import Accumulators
from mho.hw.tile.rtl.rings import RingScoreboard
from mho.hw.tile.rtl.sequencer.loops import LoopStack
from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from mho.hw.tile.rtl.windows.addresses import AddressGenerator
from mho.hw.tile.rtl.windows.iterator import WindowIterator
from tests.proofs import queue
from tests.proofs.arbiter import ArbiterClaims
from tests.proofs.harness import Harness
from tests.proofs.interface.claims import InterfaceClaims
from tests.proofs.mutants import MUTANTS
from tests.proofs.reduction import claims as reduction
from tests.proofs.reduction import schedules
from tests.proofs.registers import host, master, server
from tests.proofs.registers.coupled import CoupledClaims
from tests.proofs.router import claims as router
from tests.proofs.router import mesh, routes
from tests.proofs.router.trace import TraceClaims
from tests.proofs.router.wormhole import wormholes
from tests.proofs.solver import Engine, Verdict
from tests.proofs.table import FAULT
from tests.proofs.tile import memories
from tests.proofs.tile.execution import VectorControlClaims
from tests.proofs.tile.issue import IssueClaims, Issued
from tests.proofs.tile.loops import LoopClaims
from tests.proofs.tile.receive import ReceiverClaims
from tests.proofs.tile.retire import RetireClaims
from tests.proofs.tile.send import SendClaims
from tests.proofs.tile.sequencer import SequencerClaims
from tests.proofs.tile.tokens import ScoreboardClaims
from tests.proofs.tile.waiting import IssueQueueClaims, queue_of
from tests.proofs.tile.walks import WindowIteratorClaims
from tests.proofs.tile.windows import WindowClaims

__all__ = ["PROPERTIES", "Property"]


@dataclass(frozen=True, kw_only=True)
class Property:
    """One line of the table.

    Attributes
    ----------
    name
        What holds.
    of
        Of what.
    make
        Makes the harness, or checks all cases and returns their number.
    engine, depth
        How a harness is checked; no engine: all cases are.
    expected
        What must come out.
    seen
        Cycles from power-on within which what a harness asks for must occur.
    setting
        Context in which the harness is made.
    by_state
        The step of its induction is done for each state of its state machine by itself: a solver takes minutes for
        all together that are seconds so.
    """

    name: str
    of: str
    make: Callable[[], Harness | int]
    engine: Engine | None = Engine.INDUCTION
    depth: int = 1
    expected: Verdict = Verdict.HOLDS
    seen: int = 14
    setting: Callable[[], AbstractContextManager[Any]] = nullcontext
    by_state: bool = False


def _mesh(columns: int, rows: int, **fields: Any) -> MeshConfig:
    return MeshConfig(columns=columns, rows=rows, **({"payload_bits": 32, "depth": 2, "contexts": 0} | fields))


def _network(columns: int, rows: int, depth: int = 1) -> Network:
    return Network(_mesh(columns, rows, depth=depth, tag_bits=2))


def _router(depth: int) -> Router:
    return Router(_mesh(3, 3, depth=depth))


def _sums(contexts: int, depth: int, cycles: int = 0) -> Harness:
    cfg = _mesh(3, 3, depth=depth * contexts, contexts=contexts)
    return reduction.SumClaims(ReductionRouter(cfg), cycles)


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def _parts() -> Iterator[Property]:
    for depth in (1, 2, 16):
        yield Property(
            name="FIFO: no overflow, no underflow, ready if and only if there is room; order and integrity",
            of=f"FlitFifo, {depth} deep", make=lambda d=depth: queue.FifoClaims(FlitFifo(40, d)), seen=depth + 3,
        )
    for count in (1, 2, 4):
        yield Property(
            name="arbiter: one grant, to a request; a request waits for each other one once at most",
            of=f"RoundRobin of {count}", make=lambda c=count: ArbiterClaims(RoundRobin(c)),
        )
    name = "routing: what is carried is what destinations and position say; nothing leaves the mesh"
    for columns, rows in ((3, 3), (8, 6), (8, 8), (9, 2)):
        yield Property(
            name=name, of=f"wants(), {columns} x {rows}",
            make=lambda c=columns, r=rows: routes.RouteClaims(_mesh(c, r)),
        )
    for port in Port:
        yield Property(
            name=name, of=f"wants(), 16 x 16, {port.name.lower()} input",
            make=lambda p=port: routes.RouteClaims(_mesh(16, 16), [p]),
        )


def _routers() -> Iterator[Property]:
    for columns, rows in ((3, 3), (8, 6)):
        yield Property(
            name="router: what goes out has room beyond and carries what it wants there; what is held is wanted",
            of=f"Router of {columns} x {rows}, 2 deep",
            make=lambda c=columns, r=rows: router.ChannelClaims(Router(_mesh(c, r))),
        )
    for depth in (1, 2):
        yield Property(
            name="router: grants are one-hot, asked for, and have room; only what is wanted is served",
            of=f"Router of 3 x 3, {depth} deep", make=lambda d=depth: router.GrantClaims(_router(d)),
        )
        yield Property(
            name="router: a head waits for each other input once at most, at each output that it wants",
            of=f"Router of 3 x 3, {depth} deep", make=lambda d=depth: router.WaitClaims(_router(d)),
        )
    for depth in (1, 2):
        for port in Port:
            yield Property(
                name="router: two flits leave by what they want and nothing else, once, unchanged, in order",
                of=f"Router of 3 x 3, {depth} deep, {port.name.lower()} input",
                make=lambda d=depth, p=port: TraceClaims(_router(d), p),
            )


def _meshes() -> Iterator[Property]:
    yield Property(
        name="mesh: numbers of channels rise at every turn", of="all meshes up to 16 x 16", make=routes.check_channels,
        engine=None,
    )
    for columns, rows in ((4, 4), (8, 6), (8, 8), (16, 2), (16, 16)):
        yield Property(
            name="mesh: the tree of each set from each source reaches its members, once each",
            of=f"{columns} x {rows}, all sets", make=partial(routes.check_trees, _mesh(columns, rows)), engine=None,
        )
    for columns, rows, depth in ((2, 2, 1), (3, 2, 1), (3, 3, 1), (3, 3, 2)):
        yield Property(
            name="mesh: no deadlock; while flits are in the mesh, one moves in every cycle",
            of=f"Network, {columns} x {rows}, {depth} deep",
            make=lambda c=columns, r=rows, d=depth: mesh.ProgressClaims(_network(c, r, d)),
            seen=14 if columns * rows < 9 else 0,  # asked of the smaller ones: it costs more than the proof
        )
    yield Property(
        name="mesh: no flit starves; the head of every queue has gone within 12 cycles", of="Network, 2 x 2, 1 deep",
        make=lambda: mesh.HeadClaims(_network(2, 2), 12), depth=13,
    )
    for node in range(4):
        yield Property(
            name="mesh: a flit is everywhere 19 cycles after its injection, once at each member and nowhere else",
            of=f"Network, 2 x 2, 1 deep, from node {node}",
            make=lambda n=node: mesh.ArrivalClaims(_network(2, 2), n, 19), engine=Engine.BOUNDED, depth=38, seen=25,
        )
    yield Property(
        name="mesh: it never stands still for 4 cycles with flits in it", of="Network, 2 x 2, 1 deep",
        make=lambda: mesh.StuckClaims(_network(2, 2)), engine=Engine.BOUNDED, depth=20,
    )
    yield Property(
        name="the same claim with wormhole packets, which deadlock", of="Network of WormholeRouter, 2 x 2, 1 deep",
        make=lambda: mesh.StuckClaims(_network(2, 2)), engine=Engine.BOUNDED, depth=20, expected=Verdict.FAILS,
        setting=wormholes,
    )


def _reductions() -> Iterator[Property]:
    for contexts, depth in ((1, 1), (1, 2), (2, 1), (2, 2), (4, 2)):
        yield Property(
            name="reduction: the k-th sum is that of the k-th operands, each once, and never of some of them",
            of=f"ReductionRouter, {_some(contexts, 'context')}, {depth} deep",
            make=lambda c=contexts, d=depth: _sums(c, d),
        )
    yield Property(
        name="reduction: a lane is the sum of what is added, for any values", of="ReductionRouter, 2 contexts",
        make=lambda: reduction.AdderClaims(ReductionRouter(_mesh(3, 3, depth=4, contexts=2))),
    )
    for contexts, cycles in ((1, 4), (2, 12)):
        yield Property(
            name=f"reduction: a sum goes within {cycles} cycles if operands and room are there",
            of=f"ReductionRouter, {_some(contexts, 'context')}, 2 deep",
            make=lambda c=contexts, n=cycles: _sums(c, 2, n), depth=cycles + 1,
        )
    for columns, rows in ((3, 3), (4, 3)):
        yield Property(
            name="reduction: the sum of each group at each root has each member once and nothing else",
            of=f"{columns} x {rows}, all groups and roots", engine=None,
            make=partial(schedules.check_sums, _mesh(columns, rows, contexts=1)),
        )


def _interfaces() -> Iterator[Property]:
    yield Property(
        name="interface: what arrives is always taken; a block starts when the one before the last was given back",
        of="NetworkInterface", seen=34, make=lambda: InterfaceClaims(NetworkInterface(_mesh(3, 3))),
    )


def _registers() -> Iterator[Property]:
    for words in (2, 4):
        yield Property(
            name="registers: a node takes every word of a request, does each access once, in order, and answers once",
            of=f"RegisterServer, bursts of {words}", make=lambda w=words: server.ServerClaims(RegisterServer(w)),
        )
        yield Property(
            name="registers: the host has one request under way, a place for its answer, and one answer for each",
            of=f"RegisterMaster, bursts of {words}",
            make=lambda w=words: master.MasterClaims(RegisterMaster(_mesh(3, 3), w)),
        )
    for columns, rows in ((8, 6), (9, 2)):
        yield Property(
            name="host: its port sends as a neighbour does, takes what arrives, and forges no request",
            of=f"HostPort of {columns} x {rows}",
            make=lambda c=columns, r=rows: host.HostPortClaims(HostPort(_mesh(c, r))),
        )
    for coupled in (False, True):
        which = "nodes that owe answers" if not coupled else "nodes that take nothing while they owe one: it deadlocks"
        yield Property(
            name=f"mesh: it never stands still for 4 cycles with {which}", of="Network, 2 x 2, 1 deep",
            make=lambda c=coupled: CoupledClaims(_network(2, 2), coupled=c), engine=Engine.BOUNDED, depth=20,
            expected=Verdict.FAILS if coupled else Verdict.HOLDS,
        )


def _tiles() -> Iterator[Property]:
    for depth in (2, 5):
        yield Property(
            name="tile: an engine carries out instructions in the order in which it took them, and is busy until then",
            of=f"IssueQueue, {depth} deep", make=lambda d=depth: IssueQueueClaims(queue_of(d)), seen=depth + 8,
        )
    yield Property(
        name="tile: SEND is carried out in order, reads blocks that have arrived, gives back what is there",
        of="SendEngine",
        make=lambda: SendClaims(SendEngine(TileConfig(payload_bits=32, buffer_kib=1))),
    )
    yield Property(
        name="tile: VEC reads blocks that have arrived, gives back what is there, writes and shows where there is room",
        of="VectorControl, any vector unit and walks", seen=24,
        make=lambda: VectorControlClaims(VectorControl(TileConfig(payload_bits=32, buffer_kib=1))),
    )
    yield Property(
        name="tile: instructions retire in the order of the program, each once, before the next one is decoded",
        of="Sequencer, any program", seen=16, make=lambda: RetireClaims(Sequencer(TileConfig(instructions=128))),
    )
    yield Property(
        name="tile: a walk plans a window when its pixels have arrived and are still there, gives back what is there",
        # That a window is planned is seen by the fault that is planted: to look for one costs more than the proof.
        of="WindowIterator, images up to 15 x 15", seen=0, by_state=True,
        make=lambda: WindowIteratorClaims(WindowIterator()),
    )
    for count in (1, 2):
        yield Property(
            name="tile: each pixel of a window is read from its place in the ring, the pad for what is outside the "
            "image",
            of=f"AddressGenerator, any plan within a ring, {count} open", seen=12,
            make=lambda n=count: WindowClaims(AddressGenerator(count=n)),
        )
    for lines in (16, 256):
        yield Property(
            name="tile: no two engines have in hand what reads one stream; what MVM reads stays there; "
            "each MVM ends once",
            of=f"LoadEngine, VectorIssue, SendEngine, {lines} lines",
            make=lambda n=lines: IssueClaims(Issued(TileConfig(lines=n, payload_bits=32, buffer_kib=1))),
            seen=26 if lines == 16 else 0,  # a product of 256 lines ends too late to look for
        )
    yield Property(
        name="tile: what arrives is written at once, within the block that comes, which is shown with its last flit",
        of="Receiver, any size of blocks", seen=8,
        make=lambda: ReceiverClaims(Receiver(TileConfig(payload_bits=32, buffer_kib=1))),
    )
    yield Property(
        name="tile: a loop is run as often as it was opened for, then the one around it goes on", of="LoopStack",
        make=lambda: LoopClaims(LoopStack()), seen=14,
    )
    yield Property(
        name="tile: FREE gives back what is there, PUSH shows what has room, the block that CORE reads is there",
        of="Sequencer, any program", make=lambda: SequencerClaims(Sequencer(TileConfig(instructions=128))), seen=16,
    )
    yield Property(
        name="tile: no ring has more blocks than it holds, none that comes finds no room; what arrives never waits",
        of="RingScoreboard, any descriptor, a ring of 16", make=lambda: ScoreboardClaims(RingScoreboard(5, 6)), seen=60,
    )


def _memories() -> Iterator[Property]:
    """Of one port."""
    name = "memory: what is read was written last; who waits does so for its port"
    cfg = TileConfig(payload_bits=32, buffer_kib=1)
    yield Property(name=name, of="ParityBanks", make=lambda: memories.BanksClaims(ParityBanks(16, 32)), depth=2)
    for one_port, ports in ((True, "one port"), (False, "two")):
        yield Property(
            name=name, of=f"Buffer, {ports}", depth=3,
            make=lambda p=one_port: memories.BufferClaims(Buffer(cfg, 3, 2), one_port=p),
        )
    yield Property(name=name, of="Accumulators", make=lambda: memories.SumsClaims(Accumulators()), depth=3)
    yield Property(name=name, of="Descriptors", make=lambda: memories.DescriptorsClaims(Descriptors(3)), depth=2)
    yield Property(name=name, of="InputBuffer", depth=2, seen=24,
                   make=lambda: memories.InputBufferClaims(InputBuffer(16)))
    yield Property(name=name, of="OutputBuffer", depth=2, seen=24,
                   make=lambda: memories.OutputBufferClaims(OutputBuffer(16)))
    yield Property(name=name, of="FaultMap", depth=7, seen=32,
                   make=lambda: memories.FaultMapClaims(FaultMap(WriteVerifyConfig(lines=16, columns=8))))


def _mutants() -> Iterator[Property]:
    for mutant in MUTANTS:
        yield Property(
            name=f"{FAULT}{mutant.what}, its claims fail",
            of=f"{mutant.owner.__name__}.{mutant.method}", make=mutant.make, engine=Engine.BOUNDED,
            depth=mutant.depth,
            expected=Verdict.FAILS, setting=mutant.within,
        )


PROPERTIES: tuple[Property, ...] = (
    *_parts(), *_routers(), *_meshes(), *_reductions(), *_interfaces(), *_registers(), *_tiles(), *_memories(),
    *_mutants(),
)
"""All lines."""
