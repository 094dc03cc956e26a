"""``mho compile``: an ONNX model to a network file."""
