"""ULX3S with the largest ECP5."""

from mho.fpga.boards.board import Board, BoardPlan, TilesPlan

BOARD = Board(
    name="ulx3s-85f",
    title="ULX3S (85F)",
    device="LFE5U-85F-6BG381",
    family="ecp5",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    clock_hz=25_000_000,
    plan=BoardPlan(
        chip="ulx3s-85f", lanes=16, word_bits=256, whole_lines=256, program_lines=64, clock_hz=50_000_000,
        baud=3_000_000, link_bytes=1024,
        tiles=TilesPlan(lanes=8, clock_hz=12_500_000, baud=1_500_000),
    ),
    memory_bits=208 * 18432,
    # Small products are slower in its multipliers than in logic.
    synthesis="-nodsp",
    place=("--85k", "--package", "CABGA381", "--speed", "6"),
    # Four tiles fill most of the device: what counts is that they can be routed, so cells are placed by the lengths of
    # their wires alone, and spread over the device, and wires by how much each is wanted, not one after the other.
    tiles_place=("--no-tmdriv", "--placer-heap-beta", "0.75", "--router", "router2"),
    # In the middle of each quarter: without, tiles are placed among each other, and cannot be routed.
    tiles_at=(("X31/Y22/EBR0", "X93/Y22/EBR3"), ("X31/Y70/EBR0", "X93/Y70/EBR3")),
    fits=((256, 8),),
    lights=(("led", 0), ("led", 1), ("led", 2)),
    loader="ulx3s",
    idcode=0x41113043,
    serial="its FT231X",
    url="https://radiona.org/ulx3s/",
)
