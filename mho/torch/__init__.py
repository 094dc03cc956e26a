"""Networks of PyTorch that compute as a chip does: to train them for it, and to see what one chip makes of them.

``mho.torch.convert`` compiles a module for a chip and gives one whose forward pass is that of the chip: input codes,
cells with the device's own errors, converters. Gradients go straight through all rounding.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise ImportError("mho.torch needs PyTorch; install it with: pip install 'mho[torch]'") from None

from mho.torch.convert import convert
from mho.torch.export import chip_state
from mho.torch.lightning import from_lightning
from mho.torch.network import AnalogNetwork

__all__ = ["AnalogNetwork", "chip_state", "convert", "from_lightning"]
