"""GW1N and GW2A of Gowin, with the tools of the project Apicula."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib.io import Buffer, Direction, SingleEndedPort

from mho.fpga.families.family import Family
from mho.macro_models.errors import InputError

_DEVICES = {0x1100481B: "GW1NR", 0x0000081B: "GW2AR"}
"""By the IDCODE that a bitstream asks for (Gowin UG290); chips of a series with memory in the package have the same."""
_OUTPUTS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclass(frozen=True, kw_only=True)
class GowinLoop:
    """Dividers of an ``rPLL`` with its own feedback: ``f * feedback / reference``.

    Ranges are those of Gowin DS117 and DS226 that hold for both series: the oscillator, ``output`` times as fast as the
    output, runs at 500 to 1200 MHz, the phase detector at 3 to 400 MHz.
    """

    given_hz: int
    reference: int
    feedback: int
    output: int

    @classmethod
    def find(cls, given_hz: int, wanted_hz: int) -> "GowinLoop":
        """Dividers for exactly ``wanted_hz``.

        Raises InputError if there are none.
        """
        for reference in range(1, 65):
            feedback = wanted_hz * reference / given_hz
            if not feedback.is_integer() or not 1 <= feedback <= 64 or not 3e6 <= given_hz / reference <= 400e6:
                continue
            for output in _OUTPUTS:
                if 500e6 <= wanted_hz * output <= 1200e6:
                    return cls(given_hz=given_hz, reference=reference, feedback=int(feedback), output=output)
        raise InputError(f"no phase-locked loop of a GW1N or GW2A makes {wanted_hz} Hz out of {given_hz} Hz")

    def instance(self, m: Module, port: SingleEndedPort, out: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The loop, fed by the pin of ``port``; all that could change while it runs stands still."""
        m.submodules.buffer = buffer = Buffer(Direction.Input, port)
        still = {f"p_DYN_{name}_SEL": "false" for name in ("IDIV", "FBDIV", "ODIV")}
        zeros = {f"i_{name}": Const(0, width) for name, width in (("FBDSEL", 6), ("IDSEL", 6), ("ODSEL", 6),
                                                                  ("PSDA", 4), ("DUTYDA", 4), ("FDLY", 4))}
        return Instance(
            "rPLL",
            p_FCLKIN=f"{self.given_hz / 1e6:g}", p_IDIV_SEL=self.reference - 1, p_FBDIV_SEL=self.feedback - 1,
            p_ODIV_SEL=self.output, p_CLKFB_SEL="internal", p_CLKOUT_BYPASS="false", p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false", p_DYN_DA_EN="false", p_PSDA_SEL="0000", p_DUTYDA_SEL="1000", **still,
            i_CLKIN=buffer.i, i_CLKFB=Const(0), i_RESET=Const(0), i_RESET_P=Const(0), **zeros,
            o_CLKOUT=out, o_LOCK=locked,
        )


def _device_in(data: bytes) -> str | None:
    """From the text of zeros and ones that the tools write, after comments: the command 06 has the IDCODE."""
    for line in data[:8192].split(b"\n"):
        word = line.strip()
        if not word or word.startswith(b"//"):
            continue
        if set(word) - set(b"01"):
            return None
        if len(word) == 64 and int(word, 2) >> 56 == 0x06:
            idcode = int(word, 2) & 0xFFFFFFFF
            return _DEVICES.get(idcode, f"a Gowin FPGA with the IDCODE {idcode:08x}")
    return None


GOWIN = Family(
    name="gowin",
    steps=("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
    packages={"yosys": "yosys"},
    packaged={"gowin_pack": "gowin_pack"},
    versions={"yosys": "-V", "nextpnr-himbaechel-gowin": "--version"},
    netlist=".syn.json", constraints=".cst", placed=".pnr.json", bitstream=".fs",
    place=("--vopt", "cst={name}.cst", "--write", "{name}.pnr.json"),
    pack=("-o", "{name}.fs", "{name}.pnr.json"),
    find_loop=GowinLoop.find, device_in=_device_in,
    models="gowin_cells.v", own_cells=("rPLL", "TBUF", "IOBUF", "DPB", "DPX9B", "SDPX9B", "SP", "SPX9"),
)
