"""The operators that a network may have, from the tables that the importer works by: a list, and a page of the docs.

``python -m mho.compiler.importer.operators`` writes ``docs/reference/operators.md``, in a clone.
"""

from pathlib import Path

from mho.compiler.importer.graph import Op
from mho.compiler.importer.reading.model_file import MAX_OPSET, MIN_OPSET
from mho.compiler.importer.reading.probe import known
from mho.compiler.importer.reading.recurrent import RECURRENT
from mho.compiler.importer.reading.regions import ARRAY, AT_THE_END, NATURAL, POINTWISE
from mho.compiler.importer.reading.rewrite import REWRITES
from mho.compiler.importer.values.movers import MOVERS
from mho.compiler.model.operators.run import RUNNABLE, RUNNABLE_ML

__all__ = ["OPERATORS", "listed", "page"]

_ABBREVIATIONS = frozenset(REWRITES) - RECURRENT.keys() - {"BatchNormalization"}
_FOLDED = frozenset((
    *("Constant", "ConstantOfShape", "Shape", "Size", "Range", "NonZero", "EyeLike", "If", "Loop", "Scan"),
))
_DIGITAL = NATURAL - ARRAY - MOVERS.keys()
_TABLES = POINTWISE - _DIGITAL - MOVERS.keys() - _ABBREVIATIONS
_END = frozenset(("Softmax", "LogSoftmax", "ArgMax", "Normalizer", "ArrayFeatureExtractor")) & AT_THE_END
_SOMEWHERE = ARRAY | RECURRENT.keys() | _DIGITAL | MOVERS.keys() | _TABLES | _ABBREVIATIONS | _FOLDED

OPERATORS: dict[str, tuple[str, frozenset[str]]] = {
    "array": ("Products with constant weights, which cells hold", frozenset(ARRAY)),
    "recurrent": ("Written out step by step: a layer for all inputs, one for the states, called at each step; "
                  "gates by tables, products at the host",
                  frozenset(RECURRENT)),
    "digital": ("Sums, limits, the largest of several, and what folds into a layer; Mul and Div by constants",
                frozenset(_DIGITAL)),
    "moves": ("Choices of elements, with constant indices; of Resize and Upsample by interpolation sums of a few",
              frozenset(MOVERS)),
    "table": ("Functions of one value: a chain of them, with constant numbers, is one table", frozenset(_TABLES)),
    "abbreviations": ("Replaced by the operators that they stand for", frozenset(_ABBREVIATIONS)),
    "constant": ("Where what they take is constant, or a shape; Loop and Scan by as many iterations", _FOLDED),
    "host": (
        "At the host, in double precision, the same on every backend: these, and any of the others where it takes "
        "several computed values or indices",
        (RUNNABLE | RUNNABLE_ML) - _SOMEWHERE,
    ),
}
"""By where they run: what is said of them, and their names."""


def listed() -> str:
    """The list as ``mho compile --operators`` prints it."""
    lines = [f"opsets {MIN_OPSET} to {MAX_OPSET}; at the end, Softmax, ArgMax and functions are computed by the host"]
    for name, (text, operators) in OPERATORS.items():
        lines += [f"{name}: {text}", "  " + ", ".join(sorted(operators))]
    return "\n".join(lines)


def page() -> str:
    """The page as Markdown."""
    parts = [_HEAD]
    for name, (text, operators) in OPERATORS.items():
        assert all(known(Op.make(o, [], [])) or o in RUNNABLE_ML for o in operators)
        parts.append(f"\n## {name}\n\n{text}.\n\n" + ", ".join(f"`{o}`" for o in sorted(operators)) + "\n")
    return "".join(parts) + _END_OF_PAGE


_HEAD = """\
# Operators

<!-- Written by `python -m mho.compiler.importer.operators`; a test compares it with the importer. -->

What an ONNX model may have: opsets from 6 to the newest of the `onnx` that is installed, float16, bfloat16, float32,
double and integers, with a batch dimension or without, local functions, external data; If, Loop and Scan whose
conditions and numbers are constant once shapes are known.
`mho compile --operators` prints this list; [what of it runs on tiles](tile-operators.md).

A model is run on samples with `onnx.reference` when it is read, one at a time: what depends on constants and shapes
alone is constant then, and the network that was understood is compared with what the model gives. A difference, or an
answer for a batch that is not that for each of it, is refused.

Weights that are inputs become constants with `--freeze NAME=FILE.npy`; dimensions that the file leaves open are given
with `--input-shape NAME=0,16,8`, where 0 is that of the batch, or taken from the samples of calibration. The batch may
be a later dimension, as in states of recurrent layers: samples are given first all the same.

Several inputs are given by name: a dict, an `.npz` file, `--input NAME=FILE` for each; or side by side in one array, in
the order of the file. All outputs are computed in one run and given by name (`-o OUT.npz`), or the one that
`--model-output` chooses; which of them is scored is said, and chosen with `--score`.

Quantised models (QDQ, QLinear, MatMulInteger, QONNX, Brevitas) have their weights at their own scales. Of values on
the way the limits are kept and the rounding is left out, since cores have input codes of their own.
"""

_END_OF_PAGE = """
## Not supported

Sequences of ONNX, text, random numbers, sparse weights, an If, a Loop or a Scan that depends on the input, networks
without any product by constant weights.
"""


def main() -> None:
    """Writes the page."""
    (Path(__file__).parents[3] / "docs" / "reference" / "operators.md").write_text(page())


if __name__ == "__main__":
    main()
