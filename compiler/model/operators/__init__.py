"""Operators of ONNX as the host carries them out, each within a bound that is known before."""
