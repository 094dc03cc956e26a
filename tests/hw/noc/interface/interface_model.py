"""The network interface cycle by cycle, in Python: what hardware is held to."""

from dataclasses import dataclass
from typing import NamedTuple

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import host_destination
from mho.hw.noc.interface.tables import FLOWS, UNIT, VALUE_BITS, Counter, register_tag
from mho.hw.noc.model import TableRow
from tests.hw.noc.interface.tables_model import Body, Flit, Tables


class Tx(NamedTuple):
    """A flit that a node offers."""

    payload: int
    flow: int
    last: bool


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Outputs of a cycle: whether what comes in is taken, and what is at the other ports, if anything."""

    eject_ready: bool
    tx_ready: bool
    release_ready: bool
    answer_ready: bool
    tables_ready: bool
    rx: tuple[int, int] | None
    request: int | None
    inject: Flit | None
    counters: tuple[int, ...]


class InterfaceModel:
    """A :class:`mho.hw.noc.interface.interface.NetworkInterface`, equal to it in every cycle from reset on.

    Parameters
    ----------
    cfg
        The mesh.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self.counters = dict.fromkeys(Counter, 0)
        self._shown = dict(self.counters)  # without the last cycle
        self._tables = Tables(cfg)
        self._cycle = 0
        self._event: tuple[str, int] | None = None  # what arrived in the last cycle
        self._flit: Flit | None = None
        self._opened: int | None = None  # flow of the block that is under way
        self._flow = 0  # that of the last flit
        self._sent, self._due = 0, False  # flits of its unit, and whether the next one begins another

    def step(
        self, *, tx: Tx | None = None, release: int | None = None, eject: Body | None = None, ready: int = -1,
        answer: int | None = None, write: TableRow | None = None, lost: bool = False,
    ) -> Pins:
        """Outputs of a cycle with these inputs; ``ready`` is that of the router.

        The state is that of the next cycle then.
        """
        clears = self._cycle < FLOWS
        self._cycle += 1
        add = dict.fromkeys(Counter, 0)
        event, shown = self._event, self._shown
        kind = event[0] if event else ""
        rx = self._eject(eject)
        # Credits have the tables first, then writes.
        tables_ready = not clears and kind != "credit"
        written = write if tables_ready else None
        holds = clears or kind == "credit" or (written is not None and written.table == "members")
        inject, moves = self._flit, self._flit is None or bool(ready)
        release_ready = moves and not clears and (written is None or written.table != "slot")
        number = self._opened if self._opened is not None else tx.flow if tx else 0
        tables, known = self._tables, self._tables.flows[number].known
        goes_on = self._opened is not None and not self._due
        may = goes_on or (not clears and (not known or (not holds and tables.may_start(number))))
        tx_ready = moves and answer is None and release is None and may
        if moves:
            answers = answer if release is None else None
            self._flit = self._next(add, tx if tx_ready else None, number, release if release_ready else None, answers)
        flow = self._flow
        if tx and tx_ready:
            ends = tables.parted(number) and self._sent == UNIT - 1
            if not goes_on and known:
                tables.start(number)
            self._opened, self._flow = None if tx.last else number, number
            self._sent, self._due = 0 if ends or tx.last else (self._sent + 1) % UNIT, ends and not tx.last
        # Tables are read before they are written.
        good = kind in ("data", "request") or (event is not None and kind == "credit" and tables.credit(event[1]))
        if written:
            tables.write(written)
            if written.table == "members" and written.row == flow:
                self._opened, self._sent, self._due = None, 0, False
        add[Counter.SENT] = inject is not None and moves
        add[Counter.STALLS] = not moves
        add[Counter.WAITS] = tx is not None and not may
        add[Counter.UNROUTABLE] = lost
        add[Counter.RECEIVED] = good
        add[Counter.DROPPED] = event is not None and not good
        self._shown = dict(self.counters)
        for counter, step in add.items():
            self.counters[counter] = (self.counters[counter] + step) % (1 << VALUE_BITS)
        return Pins(
            eject_ready=not clears, tx_ready=tx_ready, release_ready=release_ready,
            answer_ready=moves and release is None, tables_ready=tables_ready, rx=rx,
            request=event[1] if event and kind == "request" else None, inject=inject, counters=tuple(shown.values()),
        )

    def _eject(self, eject: Body | None) -> tuple[int, int] | None:
        if eject is None:
            self._event = None
            return None
        kind = self._tables.kind(eject.tag)
        self._event = kind, eject.payload & 0xFFFF_FFFF
        return (eject.payload, eject.tag) if kind == "data" else None

    def _next(
        self, add: dict[Counter, int], tx: Tx | None, number: int, release: int | None, answer: int | None
    ) -> Flit | None:
        """The flit that the register takes."""
        if release is None and answer is not None:
            return Flit(answer, register_tag(self.cfg), True, host_destination(self.cfg))
        if release is None and tx is None:
            return None
        flit = self._tables.free(release) if release is not None else self._tables.flit(number, tx.payload if tx else 0)
        add[Counter.REFUSED] = flit is None
        return flit
