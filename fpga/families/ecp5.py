"""ECP5 of Lattice."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib.io import Buffer, Direction, SingleEndedPort

from mho.fpga.families.family import Family
from mho.macro_models.errors import InputError

_PREAMBLE = bytes.fromhex("ffffbdb3")
_VERIFY_ID = bytes.fromhex("e2000000")
"""Command (Lattice FPGA-TN-02039) that compares the next four bytes with the device."""

_DEVICES = {
    0x21111043: "LFE5U-12F", 0x41111043: "LFE5U-25F", 0x41112043: "LFE5U-45F", 0x41113043: "LFE5U-85F",
    0x01111043: "LFE5UM-25F", 0x01112043: "LFE5UM-45F", 0x01113043: "LFE5UM-85F",
    0x81111043: "LFE5UM5G-25F", 0x81112043: "LFE5UM5G-45F", 0x81113043: "LFE5UM5G-85F",
}


@dataclass(frozen=True, kw_only=True)
class Ecp5Loop:
    """Dividers of an ``EHXPLLL`` with its first output as feedback: ``f * feedback / reference``.

    Ranges are those of Lattice FPGA-TN-02200.
    The oscillator, ``output`` times as fast as the output, runs at 400 to 800 MHz.
    """

    reference: int
    feedback: int
    output: int

    @classmethod
    def find(cls, given_hz: int, wanted_hz: int) -> "Ecp5Loop":
        """Dividers for exactly ``wanted_hz``.

        Raises InputError if there are none.
        """
        for reference in range(1, 9):
            feedback = wanted_hz * reference / given_hz
            output = round(600e6 / wanted_hz)
            if feedback.is_integer() and 1 <= feedback <= 80 and 1 <= output <= 128:
                if 400e6 <= wanted_hz * output <= 800e6:
                    return cls(reference=reference, feedback=int(feedback), output=output)
        raise InputError(f"no phase-locked loop of an ECP5 makes {wanted_hz} Hz out of {given_hz} Hz")

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``. Current and filter are those that ecppll writes for every loop."""
        m.submodules.buffer = buffer = Buffer(Direction.Input, port)
        return Instance(
            "EHXPLLL",
            p_CLKI_DIV=self.reference, p_CLKFB_DIV=self.feedback, p_CLKOP_DIV=self.output,
            p_CLKOP_ENABLE="ENABLED", p_CLKOP_CPHASE=self.output - 1, p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP", p_OUTDIVIDER_MUXA="DIVA", p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED",
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            i_RST=Const(0), i_STDBY=Const(0), i_PHASESEL0=Const(0), i_PHASESEL1=Const(0), i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1), i_PLLWAKESYNC=Const(0), i_ENCLKOP=Const(0),
            i_CLKI=buffer.i, i_CLKFB=out, o_CLKOP=out, o_LOCK=locked,
        )


def _device_in(data: bytes) -> str | None:
    head = data[:4096]
    if _PREAMBLE not in head:
        return None
    at = head.find(_VERIFY_ID)
    idcode = int.from_bytes(head[at + 4 : at + 8], "big") if at >= 0 else 0
    return _DEVICES.get(idcode, f"an ECP5 with the IDCODE {idcode:08x}")


ECP5 = Family(
    name="ecp5",
    steps=("yosys", "nextpnr-ecp5", "ecppack"),
    packages={"yosys": "yosys", "nextpnr-ecp5": "nextpnr-ecp5", "ecppack": "fpga-trellis"},
    versions={"yosys": "-V", "nextpnr-ecp5": "--version", "ecppack": "--version"},
    constraints=".lpf", placed=".config", bitstream=".bit",
    place=("--lpf", "{name}.lpf", "--textcfg", "{name}.config"),
    pack=("--compress", "--input", "{name}.config", "--bit", "{name}.bit"),
    find_loop=Ecp5Loop.find, device_in=_device_in,
    models="ecp5_cells.v", own_cells=("DP16KD", "EHXPLLL", "LUT4", "MULT18X18D", "TRELLIS_IO"),
    model_options=("-DNO_INCLUDES",),
)
