"""From an ONNX file to a float network: nothing of the file is executed, it is read, checked and folded."""
