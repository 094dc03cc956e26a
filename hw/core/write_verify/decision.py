"""What to do with a cell after a verify read."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.core.write_verify.config import COUNT_BITS, LIMIT_BITS, ParameterLayout, WriteVerifyConfig
from macro_models.exact.pulse import AMPLITUDE_BITS, Polarity

__all__ = ["Decision", "RegisterCheck", "RunLayout"]


class RunLayout(data.StructLayout):
    """What is remembered of a cell during one pass. All 0 before its first read.

    ``started``: it had a pulse, of ``polarity`` and ``amplitude``. ``confirmed``: reads in the band since the last
    pulse.
    """

    def __init__(self) -> None:
        super().__init__({
            "started": 1, "polarity": 2, "amplitude": AMPLITUDE_BITS, "reversals": LIMIT_BITS,
            "at_ceiling": LIMIT_BITS, "pulses": COUNT_BITS, "confirmed": 2,
        })


class Decision(wiring.Component):
    """Decides whether a cell is done, is read again, gets a pulse or is given up.

    Combinational. The numpy reference is :func:`hw.core.write_verify.program`.

    Members
    -------
    p : In(ParameterLayout(cfg))
        The registers.
    code, target : In(cfg.verify_bits)
        What was read, and what is wanted.
    run : In(RunLayout())
        The cell so far.
    next : Out(RunLayout())
        The cell after the decision.
    done : Out(1)
        The cell is in the band, and confirmed.
    again : Out(1)
        Read once more.
    give_up : Out(1)
        The cell is faulty. If nothing of these, a pulse with the amplitude and the polarity in ``next`` follows.
    """

    p: data.View
    code: Value
    target: Value
    run: data.View
    next: data.View
    done: Value
    again: Value
    give_up: Value

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "p": In(ParameterLayout(cfg)), "code": In(cfg.verify_bits), "target": In(cfg.verify_bits),
            "run": In(RunLayout()), "next": Out(RunLayout()),
            "done": Out(1), "again": Out(1), "give_up": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p, run = self.p, self.run
        polarity, inside = self._band(m)
        start, step, ceiling = (Signal(AMPLITUDE_BITS, name=name) for name in ("start", "step", "ceiling"))
        with m.Switch(polarity):
            for kind in Polarity:
                names = [f"{kind.name.lower()}_{what}" for what in ("start", "step", "ceiling")]
                with m.Case(kind):
                    m.d.comb += [
                        own.eq(getattr(p, name)) for own, name in zip((start, step, ceiling), names, strict=True)
                    ]

        same = Signal()
        reversal = Signal()
        more = Signal(AMPLITUDE_BITS + 1)
        amplitude = Signal(AMPLITUDE_BITS)
        top = Signal()
        at_ceiling = Signal(LIMIT_BITS)
        m.d.comb += [
            same.eq(run.started & (polarity == run.polarity)),
            reversal.eq(run.started & (polarity != run.polarity)),
            more.eq(run.amplitude + step),
            amplitude.eq(Mux(same, Mux(more > ceiling, ceiling, more[:AMPLITUDE_BITS]), start)),
            top.eq(amplitude == ceiling),
            at_ceiling.eq(Mux(reversal, 0, run.at_ceiling)),
            self.done.eq(inside & (run.confirmed == p.confirmations)),
            self.again.eq(inside & ~self.done),
            self.give_up.eq(
                ~inside
                & ((reversal & (run.reversals == p.max_reversals))
                   | (top & (at_ceiling == p.max_at_ceiling))
                   | (run.pulses == p.max_pulses))
            ),
            self.next.eq(run),
        ]  # fmt: skip
        with m.If(self.again):
            m.d.comb += self.next.confirmed.eq(run.confirmed + 1)
        with m.Elif(~inside & ~self.give_up):
            m.d.comb += [
                self.next.started.eq(1), self.next.polarity.eq(polarity), self.next.amplitude.eq(amplitude),
                self.next.reversals.eq(run.reversals + reversal), self.next.at_ceiling.eq(at_ceiling + top),
                self.next.pulses.eq(run.pulses + 1), self.next.confirmed.eq(0),
            ]  # fmt: skip
        return m

    def _band(self, m: Module) -> tuple[Signal, Signal]:
        """Polarity of a pulse towards the target, and whether the code is in the band."""
        polarity, inside, low = Signal(2), Signal(), Signal()
        distance = Signal(self.cfg.verify_bits)
        m.d.comb += [
            low.eq(self.code < self.target),
            distance.eq(Mux(low, self.target - self.code, self.code - self.target)),
            inside.eq(Mux(self.p.form, ~low, distance <= self.p.tolerance)),
            polarity.eq(Mux(self.p.form, Polarity.FORM, Mux(low, Polarity.SET, Polarity.RESET))),
        ]
        return polarity, inside


class RegisterCheck(wiring.Component):
    """Whether a :class:`WriteVerifyParameters` with these values exists. Combinational.

    Members
    -------
    p : In(ParameterLayout(cfg))
        The registers.
    legal : Out(1)
        They can be run with.
    """

    p: data.View
    legal: Value

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        super().__init__({"p": In(ParameterLayout(cfg)), "legal": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        p = self.p
        legal = p.passes != 0
        for kind in ("set", "reset", "form"):
            legal &= (p[f"{kind}_start"] <= p[f"{kind}_ceiling"]) & (p[f"{kind}_cycles"] != 0)
        m.d.comb += self.legal.eq(legal)
        return m
