"""iCE40 of Lattice."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib.io import Buffer, Direction, SingleEndedPort

from mho.fpga.families.family import Family
from mho.macro_models.errors import InputError

_PREAMBLE = bytes.fromhex("7eaa997e")
_SIZES = {104_090: "iCE40UP5K", 135_100: "iCE40HX8K", 32_220: "iCE40HX1K"}
"""Bytes of a bitstream of each device, as icepack writes it."""


@dataclass(frozen=True, kw_only=True)
class Ice40Loop:
    """Dividers of an ``SB_PLL40`` with simple feedback: ``f * (divf + 1) / 2**divq / (divr + 1)``.

    Ranges are those of Lattice FPGA-TN-02052.
    The oscillator runs at 533 to 1066 MHz, the phase detector at 10 to 133 MHz.
    """

    divr: int
    divf: int
    divq: int
    filter_range: int

    @classmethod
    def find(cls, given_hz: int, wanted_hz: int) -> "Ice40Loop":
        """Dividers for exactly ``wanted_hz``.

        Raises InputError if there are none.
        """
        for divr in range(16):
            for divq in range(1, 7):
                detector = given_hz / (divr + 1)
                oscillator = wanted_hz << divq
                if not (10e6 <= detector <= 133e6 and 533e6 <= oscillator <= 1066e6):
                    continue
                if oscillator * (divr + 1) % given_hz == 0 and oscillator * (divr + 1) // given_hz <= 128:
                    divf = oscillator * (divr + 1) // given_hz - 1
                    return cls(divr=divr, divf=divf, divq=divq, filter_range=_filter_range(detector))
        raise InputError(f"no phase-locked loop of an iCE40 makes {wanted_hz} Hz out of {given_hz} Hz")

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``; with ``pad`` that pin is the one that belongs to the loop."""
        if pad:
            reference = {"io_PACKAGEPIN": port.io}
        else:
            m.submodules.buffer = buffer = Buffer(Direction.Input, port)
            reference = {"i_REFERENCECLK": buffer.i}
        return Instance(
            "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE", p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(self.divr, 4), p_DIVF=Const(self.divf, 7), p_DIVQ=Const(self.divq, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_RESETB=Const(1), i_BYPASS=Const(0), o_PLLOUTGLOBAL=out, o_LOCK=locked, **reference,
        )


def _filter_range(detector: float) -> int:
    """As icepll chooses it."""
    return next((k for k, limit in enumerate((17e6, 26e6, 44e6, 66e6, 101e6), 1) if detector < limit), 6)


def _device_in(data: bytes) -> str | None:
    if _PREAMBLE not in data[:4096]:
        return None
    return _SIZES.get(len(data), f"an iCE40, cut or unknown, of {len(data):,} bytes")


ICE40 = Family(
    name="ice40",
    steps=("yosys", "nextpnr-ice40", "icepack"),
    packages={"yosys": "yosys", "nextpnr-ice40": "nextpnr-ice40", "icepack": "fpga-icestorm"},
    versions={"yosys": "-V", "nextpnr-ice40": "--version"},
    constraints=".pcf", placed=".asc", bitstream=".bin",
    place=("--pcf", "{name}.pcf", "--asc", "{name}.asc"),
    pack=("{name}.asc", "{name}.bin"),
    find_loop=Ice40Loop.find, device_in=_device_in, keeps=True,
    models="ice40_pins.v", own_cells=("SB_IO", "SB_GB_IO", "SB_PLL40_PAD", "SB_PLL40_CORE"),
    model_options=("-DNO_ICE40_DEFAULT_ASSIGNMENTS",),
)
