"""The page of operators: ``python -m tests.compiler.importer.operator_page`` writes it."""

from pathlib import Path

from mho.compiler.importer.graph import Op
from mho.compiler.importer.operators import OPERATORS
from mho.compiler.importer.reading.probe import known
from mho.compiler.model.operators.run import RUNNABLE_ML

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "operators.md"


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for name, (text, operators) in OPERATORS.items():
        assert all(known(Op.make(o, [], [])) or o in RUNNABLE_ML for o in operators)
        parts.append(f"\n## {name}\n\n{text}.\n\n" + ", ".join(f"`{o}`" for o in sorted(operators)) + "\n")
    return "".join(parts) + _END_OF_PAGE


_HEAD = """\
# Operators

<!-- Written by `python -m tests.compiler.importer.operator_page`; a test compares it with the importer. -->

What an ONNX model may have: opsets from 6 to the newest of the `onnx` that is installed, float16, bfloat16, float32,
double and integers, with a batch dimension or without, local functions, external data; If, Loop and Scan whose
conditions and numbers are constant once shapes are known.
`mho compile --operators` prints this list; [what of it runs on tiles](tile-operators.md).

A model is run on samples with `onnx.reference` when it is read, and the network that was understood is compared with
what that gives. A difference, or an answer for a batch that is not that for each of it, is refused.

Weights that are inputs become constants with `--freeze NAME=FILE.npy`; dimensions that the file leaves open are given
with `--input-shape NAME=0,16,8`, where 0 is that of the batch, or taken from the samples of calibration. The batch may
be a later dimension, as in states of recurrent layers: samples are given first all the same.

Several inputs are given by name, or side by side in one array, in the order of the file; all outputs by name
(`-o OUT.npz`), or the one that `--model-output` chooses.

Quantised models (QDQ, QLinear, MatMulInteger, QONNX, Brevitas) have their weights at their own scales. Of values on
the way the limits are kept and the rounding is left out, since cores have input codes of their own.
"""

_END_OF_PAGE = """
## Not supported

Sequences of ONNX, text, random numbers, sparse weights, trees, support vector machines, an If, a Loop or a Scan that
depends on the input, networks without any product by constant weights.
"""


if __name__ == "__main__":
    PAGE.write_text(page())
