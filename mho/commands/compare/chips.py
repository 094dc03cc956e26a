"""Chips side by side, as ``mho compare`` prints and draws them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mho.terminal.console import Output

if TYPE_CHECKING:
    from mho.dotted import KeyDifference

__all__ = ["compare_chips", "row_of"]

_MOST_ROWS = 40


def compare_chips(names: Sequence[str], output: str | None, out: Output) -> dict[str, object]:
    """Print, draw and return what chips have not alike: every one against the first."""
    from mho.comparisons.chips import compare_chips as compare
    from mho.comparisons.chips import ratios
    from mho.hw.config import load_chip

    chips = [load_chip(name) for name in names]
    compared, drawn = [], []
    for name, chip in zip(names[1:], chips[1:], strict=True):
        difference = compare(chips[0], chip)
        compared.append({"chip": name, **difference.to_dict()})
        drawn.append((name, ratios(difference)))
        count = len(difference.keys)
        out.text(f"{name} beside {names[0]}: {count} key{'s' * (count != 1)} differ{'s' * (count == 1)}")
        titles = (("differs", difference.keys), ("size", difference.sizes), ("all cores busy", difference.rated))
        for title, rows in titles:
            if rows:
                out.table((title, names[0], name, "ratio"), [row_of(row) for row in rows[:_MOST_ROWS]])
                out.text()
            if len(rows) > _MOST_ROWS:
                out.text(f"and {len(rows) - _MOST_ROWS} keys more")
    if output is not None:
        from mho.figures.compare import figure_of_chips
        from mho.figures.run import save_figure

        save_figure(figure_of_chips(names[0], drawn), output, dpi=300)
        out.note(f"wrote {output}")
    return {"first": names[0], "compared": compared}


def row_of(difference: "KeyDifference") -> tuple[str, str, str, str]:
    """Key, both values and their ratio, as a table shows them."""
    key, *values = difference.texts
    first, second = (
        f"{value:.4g}" if isinstance(value, float) else text
        for value, text in zip((difference.first, difference.second), values, strict=True)
    )
    return key, first, second, "" if difference.ratio is None else f"{difference.ratio:.3g}"
