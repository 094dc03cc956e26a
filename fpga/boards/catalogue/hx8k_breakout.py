"""iCE40-HX8K breakout board: no memory but block RAM, so its bitstream can be turned back to a netlist."""

from mho.fpga.boards.board import Board, BoardPlan

BOARD = Board(
    name="hx8k-breakout",
    title="iCE40-HX8K Breakout Board (ICE40HX8K-B-EVN)",
    device="iCE40HX8K-CT256",
    family="ice40",
    platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    clock_hz=12_000_000,
    plan=BoardPlan(chip="hx8k-breakout", lanes=16, word_bits=128, clock_hz=24_000_000, baud=3_000_000),
    memory_bits=32 * 4096,
    place=("--hx8k", "--package", "ct256"),
    fits=((64, 4),),
    lights=(("led", 0), ("led", 1), ("led", 2)),
    loader="ice40_generic",
    serial="second port of its FT2232H",
    url="https://www.latticesemi.com/Products/DevelopmentBoardsAndKits/iCE40HX8KBreakoutBoard.aspx",
)
