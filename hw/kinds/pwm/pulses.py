"""Pulses of the rows: one counter for all, and a comparison a row that ends its pulse."""

from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.loader import PULSE_BITS
from mho.hw.ports import In, Out, array
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation


def pulse_widths(op: PwmOperation, x: ArrayLike, sign: int) -> NDArray[np.int64]:
    """Widths of the pulses of inputs of one sign, 1 or -1, in units of an input of 1 of 127: of the shape of ``x``.

    Reference of :class:`PulseModulator`.
    """
    code = np.asarray(x).astype(np.int64)
    return np.where(np.sign(code) == sign, np.abs(code) << op.shift, 0)


class PulseModulator(Resettable[PwmCoreConfig]):
    """Drives a pulse a row, all beginning together.

    ``load``, ``begins`` and ``step`` take effect at the next clock edge.
    """

    load = In(1)
    planes = array(In(lambda self: self.cfg.lines), PULSE_BITS)
    """Take over pulses, see :func:`mho.hw.kinds.pwm.loader.pulse_planes`."""
    begins = In(1)
    positive = In(1)
    negative = In(1)
    """Pulses begin: of inputs of these signs, and not of width 0."""
    step = In(1)
    index = In(MAGNITUDE_BITS)
    """The pulses of width ``index`` end."""
    pos = Out(lambda self: self.cfg.lines)
    neg = Out(lambda self: self.cfg.lines)
    """Pulses of positive and of negative inputs."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        n = self.cfg.lines
        stored = [Signal(n, name=f"held_{k}", reset_less=True) for k in range(PULSE_BITS)]
        widths, sign = stored[:MAGNITUDE_BITS], stored[MAGNITUDE_BITS]
        some = Signal(n)
        ends = Signal(n)
        m.d.comb += [
            some.eq(reduce(or_, widths)),
            # Over all rows bit by bit, which simulates faster than a comparator a row.
            ends.eq(reduce(and_, (~(plane ^ self.index[k].replicate(n)) for k, plane in enumerate(widths)))),
        ]
        with m.If(self.load):
            m.d.sync += [register.eq(plane) for register, plane in zip(stored, self.planes, strict=True)]
        with m.If(self.begins):
            m.d.sync += [
                self.pos.eq(some & ~sign & self.positive.replicate(n)),
                self.neg.eq(some & sign & self.negative.replicate(n)),
            ]
        with m.Elif(self.step):
            m.d.sync += [self.pos.eq(self.pos & ~ends), self.neg.eq(self.neg & ~ends)]
        return self.resets(m)
