"""What there is to know about a board."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from macro_models.errors import ToolError

__all__ = ["FAMILIES", "STATUS", "Board"]

STATUS = "untested on hardware"
"""Of a board whose bitstream was simulated and checked, but that nobody has reported to work."""

FAMILIES = ("ice40", "ecp5")


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, apart from what is put on it (:class:`fpga.config.BoardPlan`).

    Attributes
    ----------
    name
        As in commands.
    title
        As its maker calls it.
    device
        The FPGA, with its package.
    family
        Of :data:`FAMILIES`: which tools serve it.
    platform
        ``module:class`` of the Amaranth platform.
    clock_hz
        Of its oscillator.
    memory_bits, spram
        Block RAM of the device; its SPRAMs, of 256 kbit with words of 16 bits.
    script
        Commands to Yosys before the synthesis.
    synthesis, place
        Options of the synthesis, and those by which nextpnr knows the device.
    fits
        Largest cores that were built for it: lines and ``g_bits``.
    clock_at_loop
        Whether that enters at the pin of the phase-locked loop of an iCE40, where no other input can be.
    lights
        Names and numbers of the resources for the signals of :data:`hw.board.top.LEDS`, in their order.
    pins
        Further resources of the platform that the lights need, as the name of its attribute.
    high
        Outputs that must be driven to 1.
    loader
        The board, as openFPGALoader calls it.
    idcode
        Of the device, by which JTAG tells it from others; 0 if it is not loaded through JTAG.
    serial
        Which of the ports of its USB chip is the serial line.
    status
        Whether somebody has seen it work.
    url
        Where it is described.
    """

    name: str
    title: str
    device: str
    family: str
    platform: str
    clock_hz: int
    clock_at_loop: bool = False
    lights: tuple[tuple[str, int], ...]
    memory_bits: int
    spram: int = 0
    script: tuple[str, ...] = ()
    synthesis: str = ""
    place: tuple[str, ...]
    fits: tuple[tuple[int, int], ...]
    pins: str = ""
    high: tuple[str, ...] = ()
    loader: str
    idcode: int = 0
    serial: str
    status: str = STATUS
    url: str

    @property
    def bitstream_suffix(self) -> str:
        """Of the file of a bitstream."""
        return {"ice40": ".bin", "ecp5": ".bit"}[self.family]

    @property
    def read_bits(self) -> int:
        """Bits that all its memories give in one cycle: 16 each on an iCE40, 36 on an ECP5."""
        if self.family == "ice40":
            return 16 * (self.memory_bits // 4096 + self.spram)
        return 36 * (self.memory_bits // 18432)

    def make_platform(self) -> Any:
        """A fresh Amaranth platform.

        Raises
        ------
        ToolError
            If amaranth-boards is missing.
        """
        module, name = self.platform.split(":")
        try:
            make: Callable[[], Any] = getattr(import_module(module), name)
        except ImportError:
            raise ToolError("amaranth-boards is missing; install it with: pip install 'mho[fpga]'") from None
        platform = make()
        if self.pins:
            platform.add_resources(getattr(platform, self.pins))
        return platform
