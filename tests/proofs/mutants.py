"""The network with one line wrong: the claims must notice."""

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from mho.hw.host.core.host import InputBuffer
from mho.hw.memory import ParityBanks
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.fifo import FlitFifo, RoundRobin
from mho.hw.noc.flit import Port
from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.reduction.router import ReductionRouter
from mho.hw.noc.registers.node import RegisterMaster, RegisterServer
from mho.hw.noc.router.router import InputUnit, Router
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.buffer import Buffer
from mho.hw.tile.rtl.controller import TileController
from mho.hw.tile.rtl.engines.descriptors import Descriptors
from mho.hw.tile.rtl.engines.issue_queue import IssueQueue
from mho.hw.tile.rtl.engines.receive import Receiver
from mho.hw.tile.rtl.engines.send import SendEngine
from mho.hw.tile.rtl.engines.vector_control import VectorControl
from mho.hw.tile.rtl.lanes.accumulators import Accumulators
from mho.hw.tile.rtl.rings import RingScoreboard
from mho.hw.tile.rtl.sequencer.loops import LoopStack
from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from mho.hw.tile.rtl.sequencer.tokens import TokenStates
from mho.hw.tile.rtl.windows.addresses import AddressGenerator
from mho.hw.tile.rtl.windows.iterator import WindowIterator
from tests.proofs.harness import Harness
from tests.proofs.interface.claims import InterfaceClaims
from tests.proofs.queue import FifoClaims
from tests.proofs.reduction.claims import AdderClaims, SumClaims
from tests.proofs.registers.master import MasterClaims
from tests.proofs.registers.server import ServerClaims
from tests.proofs.router.claims import ChannelClaims, WaitClaims
from tests.proofs.router.trace import TraceClaims
from tests.proofs.tile.execution import VectorControlClaims
from tests.proofs.tile.issue import IssueClaims, Issued
from tests.proofs.tile.loops import LoopClaims
from tests.proofs.tile.memories import BanksClaims, BufferClaims, DescriptorsClaims, InputBufferClaims, SumsClaims
from tests.proofs.tile.receive import ReceiverClaims
from tests.proofs.tile.retire import RetireClaims
from tests.proofs.tile.send import SendClaims
from tests.proofs.tile.sequencer import SequencerClaims
from tests.proofs.tile.tokens import ScoreboardClaims
from tests.proofs.tile.waiting import IssueQueueClaims, queue_of
from tests.proofs.tile.walks import WindowIteratorClaims
from tests.proofs.tile.windows import WindowClaims

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A line that is wrong.

    Attributes
    ----------
    what
        What it does.
    owner, method
        Whose line it is.
    line, instead
        A part of it that occurs once there, and what is written instead.
    make
        The claims that must fail.
    depth
        In how many cycles they do.
    """

    what: str
    owner: type
    method: str
    line: str
    instead: str
    make: Callable[[], Harness]
    depth: int = 10

    @contextmanager
    def within(self) -> Iterator[None]:
        """Within this context the line is wrong."""
        method = getattr(self.owner, self.method)
        source = textwrap.dedent(inspect.getsource(method))
        assert source.count(self.line) == 1, f"{self.owner.__name__}.{self.method} has no longer one {self.line!r}"
        namespace: dict[str, Callable[..., object]] = {}
        exec(source.replace(self.line, self.instead), method.__globals__, namespace)
        with patch.object(self.owner, self.method, namespace[self.method]):
            yield


_CFG = MeshConfig(columns=3, rows=3, payload_bits=32, depth=2, contexts=0)


def _router() -> Router:
    return Router(_CFG)


def _adder(contexts: int = 1) -> ReductionRouter:
    cfg = MeshConfig(columns=3, rows=3, payload_bits=32, depth=2 * contexts, contexts=contexts)
    return ReductionRouter(cfg)


MUTANTS = (
    Mutant(
        what="a FIFO is full one flit too late", owner=FlitFifo, method="elaborate",
        line="nearly_full.eq(head == (tail + 1)[: len(tail)])", instead="nearly_full.eq(head == tail)",
        make=lambda: FifoClaims(FlitFifo(8, 2)),
    ),
    Mutant(
        what="an input forgets who has had its head", owner=InputUnit, method="elaborate",
        line="Mux(fifo.take, 0, served | self.grant)", instead="Mux(fifo.take, 0, self.grant)",
        make=lambda: TraceClaims(_router(), Port.WEST),
    ),
    Mutant(
        what="a flit leaves its input with the first output that takes it", owner=InputUnit, method="elaborate",
        line="~(head.want & ~served & ~self.grant).any()", instead="(head.want & self.grant).any()",
        make=lambda: TraceClaims(_router(), Port.WEST),
    ),
    Mutant(
        what="an input does not look for room", owner=InputUnit, method="elaborate",
        line="head.want & ~served & Cat(*self.room)", instead="head.want & ~served",
        make=lambda: ChannelClaims(_router()),
    ),
    Mutant(
        what="what is wanted next is found for the wrong router", owner=Router, method="_output",
        line="STEP[leave])", instead="(0, 0))",
        make=lambda: ChannelClaims(_router()),
    ),
    Mutant(
        what="the flit of another input goes out", owner=Router, method="_output",
        line="_select(arbiter.index, candidates)", instead="_select(arbiter.index, candidates[::-1])",
        make=lambda: TraceClaims(_router(), Port.WEST),
    ),
    Mutant(
        what="an arbiter always begins with the first", owner=RoundRobin, method="elaborate",
        line="after.eq(_below(self.grant))", instead="after.eq(0)",
        make=lambda: WaitClaims(_router()),
    ),
    Mutant(
        what="a sum begins while an operand is still on its way", owner=ReductionRouter, method="_able",
        line="return (absent | present).all()", instead="return (absent | present | come).all()",
        make=lambda: SumClaims(_adder()),
    ),
    Mutant(
        what="the node's operand is added with each child", owner=ReductionRouter, method="_step",
        line="[context.local for context in contexts]) & ~goes_on", instead="[context.local for context in contexts])",
        make=lambda: SumClaims(_adder()),
    ),
    Mutant(
        what="lanes carry into each other", owner=ReductionRouter, method="_add",
        line="child[part] + more[part]", instead="(child + more)[part]",
        make=lambda: AdderClaims(_adder()),
    ),
    Mutant(
        what="an interface takes nothing while an answer waits", owner=NetworkInterface, method="_arrive",
        line="self.eject.ready.eq(Mux(flows.clear, 0, -1))",
        instead="self.eject.ready.eq(Mux(flows.clear | self.answer.valid, 0, -1))",
        make=lambda: InterfaceClaims(NetworkInterface(_CFG)), depth=20,
    ),
    Mutant(
        what="a long block for the host needs a credit for its first flits alone", owner=NetworkInterface,
        method="_send", line="may = opened & ~due |", instead="may = opened |",
        make=lambda: InterfaceClaims(NetworkInterface(_CFG)), depth=26,
    ),
    Mutant(
        what="a packet ends before its answer has gone", owner=RegisterServer, method="elaborate",
        line="with m.If(busy & ~more & self.answer.ready):", instead="with m.If(busy & ~more):",
        make=lambda: ServerClaims(RegisterServer(2)),
    ),
    Mutant(
        what="a request goes while words of an answer are still there", owner=RegisterMaster, method="elaborate",
        line="with m.If(taken & (from_bus | ~words.valid)):", instead="with m.If(taken):",
        make=lambda: MasterClaims(RegisterMaster(_CFG, 2)), depth=14,
    ),
    Mutant(
        what="an engine is busy only when its oldest instruction has come to the front", owner=IssueQueue,
        method="elaborate", line="self.busy.eq(valid.any())", instead="self.busy.eq(valid[0])",
        make=lambda: IssueQueueClaims(queue_of(5)),
    ),
    Mutant(
        what="SEND reads a block before it is there", owner=SendEngine, method="elaborate",
        line="ring.there > offset", instead="ring.there >= offset",
        make=lambda: SendClaims(SendEngine(TileConfig(payload_bits=32, buffer_kib=1))),
    ),
    Mutant(
        what="VEC does not wait for its second block", owner=VectorControl, method="_run",
        line='self._ask(m, "a", asks[1:]', instead='self._ask(m, "a", asks[2:]',
        make=lambda: VectorControlClaims(VectorControl(TileConfig(payload_bits=32, buffer_kib=1))),
    ),
    Mutant(
        what="a block of whole flits is shown with the one behind it", owner=Receiver, method="elaborate",
        line="soon.eq(left <= 2 * size)", instead="soon.eq(left < 2 * size)",
        make=lambda: ReceiverClaims(Receiver(TileConfig(payload_bits=32, buffer_kib=1))),
    ),
    Mutant(
        what="a loop that is run again counts for the one inside of it", owner=LoopStack, method="elaborate",
        line="Mux(self.push, depth, depth - 1)", instead="depth", make=lambda: LoopClaims(LoopStack()),
    ),
    Mutant(
        what="PUSH does not wait for what the engines have in hand", owner=TokenStates, method="wait",
        line="sequencer.idle & Mux(makes", instead="Mux(makes",
        make=lambda: SequencerClaims(Sequencer(TileConfig(instructions=128))), depth=16,
    ),
    Mutant(
        what="an instruction at the end of a loop retires twice", owner=Sequencer, method="_next",
        line="self.retire.eq(~loops.closes)", instead="self.retire.eq(1)",
        make=lambda: RetireClaims(Sequencer(TileConfig(instructions=128))), depth=16,
    ),
    Mutant(
        what="a window is planned when its last pixel is the next to come", owner=WindowIterator, method="_wait",
        line="less[:8] < ring.there", instead="less[:8] <= ring.there",
        make=lambda: WindowIteratorClaims(WindowIterator(), 1), depth=40,
    ),
    Mutant(
        what="rows above the image count in the ring", owner=AddressGenerator, method="elaborate",
        line="(ends & line.inside)", instead="ends",
        make=lambda: WindowClaims(AddressGenerator()),
    ),
    Mutant(
        what="an instruction is taken while the load engine reads its stream", owner=TileController, method="_issue",
        line="(rivals[0].reads | rivals[1].reads)", instead="rivals[0].reads",
        make=lambda: IssueClaims(Issued(TileConfig(payload_bits=32, buffer_kib=1))), depth=16,
    ),
    Mutant(
        what="a block is acknowledged when one of its ring is left", owner=RingScoreboard, method="_owe",
        line="blocks_there + 2 < blocks + unacked", instead="blocks_there + 2 <= blocks + unacked",
        make=lambda: ScoreboardClaims(RingScoreboard(2, 1, streams=2)), depth=20,
    ),
    Mutant(
        what="what changes in the cycle of an answer is missed by who asks again", owner=RingScoreboard, method="_ask",
        line="& ~turns.grant)", instead="& ~answers)",
        make=lambda: ScoreboardClaims(RingScoreboard(2, 1, streams=2)), depth=20,
    ),
    Mutant(
        what="the wrong bank is looked at", owner=ParityBanks, method="elaborate",
        line="Mux(odd, words[1], words[0])", instead="words[0]", make=lambda: BanksClaims(ParityBanks(16, 32)),
    ),
    Mutant(
        what="a read does not wait for its bank", owner=Buffer, method="_waiting",
        line="busy | (written &", instead="busy | (~written &",
        make=lambda: BufferClaims(Buffer(TileConfig(payload_bits=32, buffer_kib=1), 2, 1), one_port=True),
    ),
    Mutant(
        what="a sum does not wait for its bank", owner=Accumulators, method="elaborate",
        line="needs & add & (at[0]", instead="needs & ~add & (at[0]", make=lambda: SumsClaims(Accumulators()),
    ),
    Mutant(
        what="a fetch does not wait for what is written", owner=Descriptors, method="_fetch",
        line="busy = looks if writes is None else looks | writes", instead="busy = looks",
        make=lambda: DescriptorsClaims(Descriptors(2)),
    ),
    Mutant(
        what="the bus does not go first", owner=InputBuffer, method="elaborate",
        line="reads = reads & ~self.enable", instead="pass", make=lambda: InputBufferClaims(InputBuffer(16)),
    ),
)
"""All of them."""
