"""Tang Nano 9K: a GW1N of Gowin."""

from mho.fpga.boards.board import Board, BoardPlan

BOARD = Board(
    name="tang-nano-9k",
    title="Sipeed Tang Nano 9K",
    device="GW1NR-LV9QN88PC6/I5",
    family="gowin",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    clock_hz=27_000_000,
    plan=BoardPlan(chip="tang-nano-9k", lanes=16, word_bits=64, clock_hz=27_000_000, baud=3_000_000),
    memory_bits=26 * 18432,
    place=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
    # Serial line and lights are at pins that configuration would keep.
    pack=("-d", "GW1N-9C", "--sspi_as_gpio", "--mspi_as_gpio"),
    fits=((64, 4),),
    lights=(("led", 0), ("led", 1), ("led", 2)),
    loader="tangnano9k",
    idcode=0x1100481B,
    serial="its BL702",
    url="https://wiki.sipeed.com/hardware/en/tang/Tang-Nano-9K/Nano-9K.html",
)
