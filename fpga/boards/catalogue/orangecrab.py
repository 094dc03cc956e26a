"""OrangeCrab with an ECP5-25F: no serial chip, so the line is at pins of its header."""

from mho.fpga.boards.board import Board, BoardPlan, TilesPlan

BOARD = Board(
    name="orangecrab",
    title="OrangeCrab r0.2 (25F)",
    device="LFE5U-25F-8MG285",
    family="ecp5",
    platform="amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
    clock_hz=48_000_000,
    plan=BoardPlan(
        chip="orangecrab", lanes=16, word_bits=256, whole_lines=64, clock_hz=48_000_000, baud=3_000_000,
        link_bytes=1024, tiles=TilesPlan(lanes=8, clock_hz=24_000_000, baud=3_000_000, max_tiles=1),
    ),
    memory_bits=56 * 18432,
    synthesis="-nodsp",
    place=("--25k", "--package", "CSFBGA285", "--speed", "8"),
    fits=((16, 4),),
    lights=(("rgb_led", 0, "g"), ("rgb_led", 0, "b"), ("rgb_led", 0, "r")),
    # Pins 0 and 1 of its header, where a Feather has its serial line.
    uart=("N17", "M18"),
    loader="orangeCrab",
    bootloader=True,
    serial="an adapter of 3.3 V at pins 0 (receive) and 1 (transmit) of its header",
    url="https://orangecrab-fpga.github.io/orangecrab-hardware/",
)
