"""What each operator of the domain ``ai.onnx.ml`` makes at most, and costs: see :mod:`.bounds`."""

from collections.abc import Callable

from mho.compiler.model.operators.bounds import LOOP, Array, Bound, Rule, Taken, size_of, solid
from mho.compiler.model.operators.rules import made


def _rows(x: Array) -> int:
    return solid(x.shape[:1]) if x.ndim > 1 else 1


def _of_classes(t: Taken) -> Bound:
    """Scores of classes, or targets, for each row: products with what the attributes hold."""
    longest = max((len(v) for v in t.attrs.values() if isinstance(v, (list, tuple))), default=1)
    targets = max(1, int(t.attrs.get("targets", 1)))
    if targets > 1 + longest:
        raise ValueError(f"it has {targets} targets and fewer numbers")
    size = _rows(t[0]) * max(longest, targets)
    return Bound(2 * size, LOOP * size, 3 * size + size_of(t[0]))


def _per_element(ns: float, growth: Callable[[Taken], int] = lambda t: 1) -> Rule:
    def rule(t: Taken) -> Bound:
        size = size_of(t[0]) * max(1, growth(t))
        return Bound(16 * size, ns * size, 2 * size)
    return rule


def _longest(*names: str) -> Callable[[Taken], int]:
    """Of attributes with these names how long the longest is."""
    return lambda t: max((len(t.attrs.get(name, ())) for name in names), default=1)


BOUNDS_ML: dict[str, Rule] = {
    **dict.fromkeys(("LinearClassifier", "LinearRegressor"), _of_classes),
    "ArrayFeatureExtractor": made(lambda t: _rows(t[0]) * size_of(t[1]), 100),
    "Binarizer": _per_element(200), "Normalizer": _per_element(200), "LabelEncoder": _per_element(2 * LOOP),
    "Imputer": _per_element(200, _longest("imputed_value_floats", "imputed_value_int64s")),
    "Scaler": _per_element(200, _longest("offset", "scale")),
    "OneHotEncoder": _per_element(LOOP, _longest("cats_int64s", "cats_strings")),
    "FeatureVectorizer": made(lambda t: max(map(_rows, t.there)) * solid(
        [sum(abs(int(n)) for n in t.attrs.get("inputdimensions", ()))]) + size_of(*t.there), 100),
}
"""Operators that may run: what each makes at most."""
