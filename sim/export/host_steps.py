"""What a host does between and behind the layers of tiles, as functions in C: the lanes that `functional` has.

Operations of the vector unit are its integers; operators of ONNX are double precision (:mod:`.operators_c`), where the
last bit of a function may be another than numpy's, and with it a lane of many.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mho.compiler.program import Call, Host
from mho.compiler.tile.graph.host import Split
from mho.macro_models.errors import InputError
from mho.macro_models.integer import vector
from mho.sim.export.c_text import Code, NoFormError
from mho.sim.export.operators_c import operators_in_c

_LANE_OF = """\
/* floor(total / 2^shift + 1/2) + add between two ends. */
static int16_t lane_of(int64_t total, int shift, int64_t add, int64_t low, int64_t high) {
  const int64_t one = (int64_t)1 << shift;
  int64_t v = total + (one >> 1);
  v = (v >= 0 ? v / one : -((one - 1 - v) / one)) + add;
  return (int16_t)(v < low ? low : v > high ? high : v);
}
"""
_LANE_NEAR = f"""\
/* The lane of a number. */
static int16_t lane_near(double v, double unit) {{
  if (v != v) v = 0.0;
  v = rint((v > 1e30 ? 1e30 : v < -1e30 ? -1e30 : v) / unit);
  return (int16_t)(v < -{vector.LANE_MAX}.0 ? -{vector.LANE_MAX}.0 : v > {vector.LANE_MAX}.0 ? {vector.LANE_MAX}.0 : v);
}}
"""


@dataclass(frozen=True)
class HostFunctions:
    """Functions of C: ``text`` defines them, ``steps`` are those between layers, ``finish`` the last.

    Those of steps take ``(int16_t *in, const int16_t *out)`` of an image, that of the end the lanes, too. There are
    none where the host does nothing.
    """

    text: str = ""
    steps: tuple[str, ...] = ()
    finish: str = ""


def host_functions(
    split: Split, sent: Mapping[int, int], received: Mapping[int, int], sizes: Mapping[int, int], chip: str
) -> HostFunctions:
    """The host's part of a program.

    Raises InputError if a step has no form in C: one sentence that names it.

    Parameters
    ----------
    split
        What it does.
    sent, came
        Where values begin in what the host sends and gets of an image, by their numbers.
    sizes
        Elements of these values.
    chip
        For sentences.
    """
    last = len(split.program.stages)
    behind = sorted({*split.between, *split.behind}) if split.behind else []
    finishes = set(received) != {last}
    if not split.steps and not finishes:
        return HostFunctions()
    code, texts, steps = Code(), list[str](), list[str]()
    at_hand = {**{v: (f"(in + {at}u)", sizes[v]) for v, at in sent.items()},
             **{v: (f"(out + {at}u)", sizes[v]) for v, at in received.items()}}
    entries = {v: entry for v, entry in at_hand.items() if v in received or v not in split.waits}
    for n, step in enumerate(split.steps):
        values = _stages(split, step.stages, dict(entries), code, chip)
        for v in step.gives:
            code.loop(sizes[v], f"in[{sent[v]}u + k] = {values[v][0]}[k];")
        steps.append(f"host_step_{n}")
        texts.append(_function(f"static void {steps[-1]}(int16_t *in, const int16_t *out)", code, "in out"))
    if finishes:
        values = _stages(split, behind, dict(entries), code, chip)
        name, size = values[last]
        code.loop(size, f"lanes[k] = {name}[k];")
        head = "static void host_finish(const int16_t *in, const int16_t *out, int16_t *lanes)"
        texts.append(_function(head, code, "in out"))
    helpers = [text for text, call in ((_LANE_OF, "lane_of("), (_LANE_NEAR, "lane_near("))
               if any(call in text for text in texts)]
    text = "\n\n".join(["#include <math.h>", *helpers, *code.tables, *texts]) + "\n"
    return HostFunctions(text, tuple(steps), "host_finish" if finishes else "")


def _function(head: str, code: Code, unused: str) -> str:
    lines = [f"(void){name};" for name in unused.split()]
    return f"{head} {{\n  uint32_t k;\n" + "".join(f"  {line}\n" for line in (*lines, *code.taken())) + "}"


_Held = dict[int, tuple[str, int]]
"""The array and the elements of values."""


def _stages(split: Split, stages: Iterable[int], values: _Held, code: Code, chip: str) -> _Held:
    """Writes some stages, and returns where all values are."""
    for k in stages:
        stage = split.program.stages[k]
        try:
            missing = [v for v in stage.inputs if v not in values]
            if missing:
                raise NoFormError(f"what takes value {missing[0]}, which the host has no more")
            values[k + 1] = _stage(stage.operation, [values[v] for v in stage.inputs], code)
        except NoFormError as error:
            raise InputError(f"{chip}: step {k + 1} of the network, {stage.name}, which is the host's, has no form in "
                             f"C: {error}") from None
    return values


def _stage(op: object, inputs: list[tuple[str, int]], code: Code) -> tuple[str, int]:
    """Writes an operation; returns the array that it makes and its elements."""
    name, size = inputs[0] if len(inputs) == 1 else _beside(inputs, code)
    if isinstance(op, Host):
        numbers = code.each(size, f"to[k] = (double){name}[k] * {code.numbers(op.taken)}[k];")
        result, to = operators_in_c(op.step, code, numbers), code.lanes(op.step.size)
        code.loop(op.step.size, f"{to}[k] = lane_near({result}[k], {code.numbers(op.unit)}[k]);")
        return to, op.step.size
    ends = f"-{vector.LANE_MAX}, {vector.LANE_MAX}"
    if isinstance(op, vector.Encode):
        text = (f"lane_of(((int64_t){name}[k] - {code.whole(op.offset)}) * {code.whole(op.multiplier)}, {op.shift}, 0, "
                f"{op.low}, {op.high})")
    elif isinstance(op, vector.Limit):
        text = f"lane_of({name}[k], 0, 0, {code.whole(op.low)}, {code.whole(op.high)})"
    elif isinstance(op, vector.Table):
        entry = (f"lane_of((int64_t){name}[k] * {code.whole(op.multiplier)}, {op.shift}, {vector.TABLE_HALF}, 0, "
                 f"{2 * vector.TABLE_HALF - 1})")
        text = f"(int16_t){code.whole(op.entries, entry)}"
    elif isinstance(op, vector.Product):
        size, left, right = len(op.left), code.place(op.left), code.place(op.right)
        text = f"lane_of((int64_t){name}[{left}] * {name}[{right}], {op.shift}, 0, {ends})"
    elif isinstance(op, vector.Select):
        size, at = len(op.index), code.place(op.index)
        text = f"{name}[{at}]"
        if (op.index == vector.PAD).any():
            text = f"(int16_t)({at} < 0 ? {code.whole(op.fill)} : {name}[{at} < 0 ? 0 : {at}])"
    elif isinstance(op, (vector.Largest, vector.WeightedSum)):
        return _of_several(op, name, code)
    else:
        assert isinstance(op, Call)
        raise NoFormError("a layer")
    to = code.lanes(size)
    code.loop(size, f"{to}[k] = {text};")
    return to, size


def _of_several(op: vector.Largest | vector.WeightedSum, name: str, code: Code) -> tuple[str, int]:
    """An operation whose elements are made of several lanes each."""
    (size, terms), to = op.index.shape, code.lanes(len(op.index))
    at = f"{terms}u * k + j"
    place = code.place(op.index.reshape(-1), at)
    if isinstance(op, vector.Largest):
        body = f"if (!j || {name}[{place}] > {to}[k]) {to}[k] = {name}[{place}];"
        code.loop(size, f"{{ uint32_t j; for (j = 0; j < {terms}u; j++) {body} }}")
        return to, size
    left_out = f"if ({place} >= 0) " if (op.index < 0).any() else ""
    sums = f"{left_out}s += (int64_t){name}[{place}] * {code.whole(op.multiplier.reshape(-1), at)};"
    end = f"{to}[k] = lane_of(s, {op.shift}, {code.whole(op.offset)}, -{vector.LANE_MAX}, {vector.LANE_MAX});"
    code.loop(size, f"{{ int64_t s = 0; uint32_t j; for (j = 0; j < {terms}u; j++) {sums} {end} }}")
    return to, size


def _beside(inputs: list[tuple[str, int]], code: Code) -> tuple[str, int]:
    """Values side by side."""
    size, first = sum(count for _, count in inputs), 0
    to = code.lanes(size)
    for name, count in inputs:
        code.loop(count, f"{to}[{first}u + k] = {name}[k];")
        first += count
    return to, size
