"""The operators that a network may have, from the tables that the importer works by."""

from mho.compiler.importer.reading.model_file import MAX_OPSET, MIN_OPSET
from mho.compiler.importer.reading.recurrent import RECURRENT
from mho.compiler.importer.reading.regions import ARRAY, NATURAL, POINTWISE
from mho.compiler.importer.reading.rewrite import REWRITES
from mho.compiler.importer.reading.sequences import RANDOM
from mho.compiler.importer.values.movers import MOVERS
from mho.compiler.model.operators.run import RUNNABLE, RUNNABLE_ML

_ABBREVIATIONS = frozenset(REWRITES) - RECURRENT.keys() - RANDOM.keys() - {"BatchNormalization", "Gelu", "Identity"}
_FOLDED = RANDOM.keys() | {
    *("Constant", "ConstantOfShape", "Shape", "Size", "Range", "NonZero", "EyeLike", "If", "Loop", "Scan"),
}
_DIGITAL = NATURAL - ARRAY - MOVERS.keys()
_TABLES = POINTWISE - _DIGITAL - MOVERS.keys() - _ABBREVIATIONS
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
    "constant": ("Where what they take is constant, or a shape; Loop and Scan by as many iterations; random numbers, "
                 "drawn once for all inputs", frozenset(_FOLDED)),
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
