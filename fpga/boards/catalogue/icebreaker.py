"""iCEBreaker: iCE40 UP5K, the only iCE40 with 1 Mbit of single-ported RAM."""

from mho.fpga.boards.board import Board, BoardPlan

BOARD = Board(
    name="icebreaker",
    title="iCEBreaker",
    device="iCE40UP5K-SG48",
    family="ice40",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    clock_hz=12_000_000,
    clock_at_loop=True,
    plan=BoardPlan(
        chip="icebreaker", lanes=8, word_bits=64, memory="spram", clock_hz=24_000_000, baud=3_000_000,
    ),
    memory_bits=30 * 4096,
    spram=4,
    place=("--up5k", "--package", "sg48"),
    fits=((256, 8),),
    # Two of its own; the third is on the section that can be broken off.
    lights=(("led_g", 0), ("led_g", 1), ("led_r", 0)),
    pins="break_off_pmod",
    loader="ice40_generic",
    serial="second port of its FT2232H",
    url="https://github.com/icebreaker-fpga/icebreaker",
)
