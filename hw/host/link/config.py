"""Static parameters of the device's end of the host link."""

from dataclasses import dataclass

from mho.hw.host.link.format import VERSION


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Static parameters of the device's end of the link.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """

    size: int = 512
    """Bytes of each of the two buffers, a power of two from 64 to 4096: the longest request with its CRC, and the
    longest body of a reply."""
    address_width: int = 32
    """Bits of a byte address of the bus, 3 to 32. An access above answers with an error."""
    timeout: int = 65535
    """Clock cycles after which an access that the bus has not answered is given up, 1 to 2**20."""

    def __post_init__(self) -> None:
        if self.size not in (64, 128, 256, 512, 1024, 2048, 4096):
            raise ValueError(f"Size must be a power of two from 64 to 4096, not {self.size!r}")
        if not 3 <= self.address_width <= 32:
            raise ValueError(f"Address width must be between 3 and 32, not {self.address_width!r}")
        if not 1 <= self.timeout <= 2**20:
            raise ValueError(f"Timeout must be between 1 and {2**20} cycles, not {self.timeout!r}")

    @property
    def opened(self) -> int:
        """What the words of a reply are when a session opens: version, and the logarithm of the size."""
        return VERSION | (self.size.bit_length() - 1) << 8
