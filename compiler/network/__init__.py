"""A compiled network: its file, what it saw of its inputs, and its report."""

from mho.compiler.network.file.layer import CoreImage
from mho.compiler.network.network import Network

__all__ = ["CoreImage", "Network"]
