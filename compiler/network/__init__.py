"""A compiled network: its file, what it saw of its inputs, and its report."""

from compiler.network.network import CoreImage, Network

__all__ = ["CoreImage", "Network"]
