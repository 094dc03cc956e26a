"""ECPIX-5 with the largest ECP5."""

from mho.fpga.boards.board import Board, BoardPlan

BOARD = Board(
    name="ecpix5-85f",
    title="ECPIX-5 (85F)",
    device="LFE5UM5G-85F-8BG554",
    family="ecp5",
    platform="amaranth_boards.ecpix5:ECPIX585Platform",
    clock_hz=100_000_000,
    plan=BoardPlan(
        chip="ecpix5-85f", lanes=16, word_bits=256, whole_lines=256, program_lines=64, clock_hz=50_000_000,
        baud=3_000_000, link_bytes=1024,
    ),
    memory_bits=208 * 18432,
    synthesis="-nodsp",
    place=("--um5g-85k", "--package", "CABGA554", "--speed", "8"),
    fits=((16, 4),),
    lights=(("rgb_led", 0, "g"), ("rgb_led", 1, "b"), ("rgb_led", 2, "r")),
    loader="ecpix5",
    idcode=0x81113043,
    serial="second port of its FT2232H",
    status="bitstream built, netlist not simulated; untested on hardware",
    url="https://docs.lambdaconcept.com/ecpix-5/",
)
