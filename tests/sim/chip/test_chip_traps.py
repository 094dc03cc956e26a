"""Every trap of a tile of a chip: what its host reads, that other tiles go on, and that the tile runs again."""

from collections.abc import Iterator

import pytest

from mho.hw.config import load_chip
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.asm import assemble
from mho.hw.tile.host_map import RESET, START, STATUS_AT, program_writes
from mho.hw.tile.isa import STATUS, Cause
from mho.hw.tile.rtl.host import BUFFER, CONTROL
from mho.sim.chip.programs import Programs
from mho.sim.chip.simulation import ChipSimulation
from mho.sim.chip.traffic import IDLE, Expected
from mho.sim.chip.verify import check_programs, start_programs

CHIP = load_chip("tnsa16-2x2")
WATCHDOG = CONTROL + 20
PATIENCE = 300

STREAMS = """
stream in: block 4, blocks 6, first 2
stream far: block 4, blocks 6, remote, slot 5
stream out: block 4, blocks 2
walk whole: stream in
mvm layer: i_last 0, o_last 1, in_bits 4, out_bits 8, step_code 256
mvm wide: i_last 20, o_last 1
mvm odd: i_last 0, o_last 1, op 0xffffffff, op_high 63
vec copy: kind max, a in, target out, elements 4
vec back: kind max, a in, target far, elements 4
vec take: a drain, target out, elements 4
"""
TRAPS = {  # cause: the program, at which instruction, in which image, about which stream
    Cause.OPCODE: ("word 0x80000000", 0, 0, 0),
    Cause.RESERVED: ("image\nword 0x60000000", 1, 1, 0),
    Cause.LOOP: ("loop 2 {\nword 0x08010005\nimage\n}", 1, 0, 0),
    Cause.END: ("image\n" * 512, 511, 512, 0),
    Cause.FIELD: ("image\nmvm layer, whole, free", 1, 1, 0),
    Cause.ADDRESS: ("mvm wide, whole", 0, 0, 0),
    Cause.RING: ("free in\nwait in 7", 1, 0, 0),
    Cause.OWNER: ("vec back", 0, 0, 1),
    Cause.PRODUCT: ("image\nvec take", 1, 1, 0),
    Cause.CORE: ("image\nmvm odd, whole", 1, 1, 0),
    Cause.WATCHDOG: ("loop 1 {\n" + "vec copy, free_a, push\n" * 3 + "}\nhalt", 4, 0, 0),
}
GOOD = """
stream in: base 64, block 4, blocks 2, first 1
lanes begin @64 { 300 -5 }
stream out: base 128, block 4, blocks 2
vec copy: kind max, a in, a_format lane, target out, wide, elements 2
vec copy, free_a, push
image
halt
"""


class Host:
    """A host at a chip whose first two tiles run programs, for the one behind them."""

    def __init__(self) -> None:
        self.bus, self.programs = ChipSimulation(CHIP, short=True), Programs(CHIP)
        start_programs(self.bus, self.programs)

    def access(self, at: int, data: int | None = None) -> int:
        """A word of the tile that is read, or written."""
        address = host_address(self.programs.parts.mesh, IDLE, at)
        ((error, word),) = self.bus.answer([Expected(address, data, 15, False, None)])
        assert not error
        return word

    def begin(self, text: str, watchdog: int = 0) -> None:
        """Reset the tile, load a program and start it."""
        writes = program_writes(assemble(text), self.programs.parts.tiles[IDLE])
        for at, word in [(CONTROL, RESET), *writes, (WATCHDOG, watchdog), (CONTROL, START)]:
            self.access(at, word)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    machine = Host()
    yield machine
    machine.bus.close()


@pytest.mark.slow  # the simulator of a chip is built, once
@pytest.mark.cosim("verilator", "g++", "make")
def test_every_trap_is_told_and_leaves_all_else_as_it_was(host: Host) -> None:
    assert set(TRAPS) == set(Cause) - {Cause.NONE}
    for cause, (text, pc, image, stream) in TRAPS.items():
        host.begin(STREAMS + text, watchdog=9 if cause is Cause.WATCHDOG else 0)
        assert any(host.access(STATUS_AT) for _ in range(PATIENCE)), cause
        status = STATUS.unpack((host.access(STATUS_AT), host.access(STATUS_AT + 4)))
        fields = {name: status[name] for name in ("cause", "pc", "image", "stream")}
        assert fields == {"cause": cause, "pc": pc, "image": image, "stream": stream}
        host.begin(GOOD)
        assert any(not host.access(CONTROL) & 3 for _ in range(PATIENCE)), cause
        assert (host.access(STATUS_AT), host.access(STATUS_AT + 4)) == (0, 1)
        assert host.access(BUFFER + 128) == 300 | (-5 & 0xFFFF) << 16
    assert check_programs(host.bus, host.programs) > len(TRAPS)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make")
def test_a_reset_reaches_all_tiles_before_the_first_access() -> None:
    """It goes through the mesh as flits do: in the middle of all traffic, nothing of before is left behind it."""
    host = Host()
    mesh = host.programs.parts.mesh
    far = host_address(mesh, mesh.nodes - 1, WATCHDOG)
    assert host.bus.answer([Expected(far, 13, 15, False, None), Expected(far, None, 15, False, None)])[1] == (False, 13)
    host.bus._bench.reset()
    assert host.bus.answer([Expected(far, None, 15, False, None)]) == [(False, 0)]
    assert not host.access(CONTROL) & 3
    start_programs(host.bus, host.programs)
    for _ in range(PATIENCE):
        host.access(CONTROL)
    assert check_programs(host.bus, host.programs) > 1
    host.bus.close()
