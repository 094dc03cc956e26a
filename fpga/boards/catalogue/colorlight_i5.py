"""Colorlight i5 on the extension board of Muse Lab: an LED controller with an ECP5-25F, sold as a module."""

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import LatticeECP5Platform

from mho.fpga.boards.board import Board, BoardPlan, TilesPlan


class ColorlightI5Platform(LatticeECP5Platform):
    """Pins of the module's version 7.0, as its community documented them (wuxx/Colorlight-FPGA-Projects)."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("U16", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        Resource(
            "uart", 0, Subsignal("rx", Pins("H18", dir="i")), Subsignal("tx", Pins("J17", dir="o")),
            Attrs(IO_TYPE="LVCMOS33"),
        ),
    ]
    connectors = []


BOARD = Board(
    name="colorlight-i5",
    title="Colorlight i5 (v7.0) on its extension board",
    device="LFE5U-25F-6BG381",
    family="ecp5",
    platform="mho.fpga.boards.catalogue.colorlight_i5:ColorlightI5Platform",
    clock_hz=25_000_000,
    plan=BoardPlan(
        chip="colorlight-i5", lanes=16, word_bits=256, whole_lines=64, clock_hz=50_000_000, baud=3_000_000,
        link_bytes=1024, tiles=TilesPlan(lanes=8, clock_hz=25_000_000, baud=3_000_000, max_tiles=1),
    ),
    memory_bits=56 * 18432,
    synthesis="-nodsp",
    place=("--25k", "--package", "CABGA381", "--speed", "6"),
    fits=((16, 4),),
    lights=(("led", 0),),
    loader="colorlight-i5",
    idcode=0x41111043,
    serial="the CMSIS-DAP of the extension board",
    url="https://github.com/wuxx/Colorlight-FPGA-Projects",
)
