"""From an ONNX file to a float network: nothing of the file is executed, it is read, checked and folded."""

from mho.compiler.importer.onnx_import import import_onnx

__all__ = ["import_onnx"]
