"""The program of a compiled network: what is done for each image, in which order, in integers.

A program is data. A value is a vector of 16-bit lanes for each image; what one unit of a lane stands for only the
compiler knows. The first value is the network's input, as the host quantises it; each stage makes one more, by a layer
at every position of an image (:class:`Call`) or by the vector unit (:mod:`mho.macro_models.integer.vector`).
:meth:`Program.run` is the one interpreter: it knows no chip, and what carries out the matrix-vector products is passed
in, so that calibration, every backend and the references share it.
"""

from mho.compiler.program.layer import DITHER, OP_ID_IMAGE_SHIFT, Call, Layer, Mvm, RunMvm, row_codes, run_call
from mho.compiler.program.program import Host, InputStage, Operation, OutputStage, Program, Stage, batch_size

__all__ = [
    "DITHER", "OP_ID_IMAGE_SHIFT", "Call", "Host", "InputStage", "Layer", "Mvm", "Operation", "OutputStage", "Program",
    "RunMvm", "Stage", "batch_size", "row_codes", "run_call",
]
