"""A trained network in floating point: what an import gives, and what quantisation is measured against."""

from mho.compiler.model.network import FloatNetwork, HostOp, Output

__all__ = ["FloatNetwork", "HostOp", "Output"]
