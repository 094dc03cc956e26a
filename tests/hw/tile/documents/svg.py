"""A picture as SVG, in the style of the others of ``docs``."""

from html import escape

__all__ = ["Picture"]

_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" \
font-family="DejaVu Sans, Verdana, sans-serif" font-size="13">
  <title>{title}</title>
  <defs>
    <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
      <path d="M0 0 L8 4 L0 8 z" fill="#57606a"/>
    </marker>
    <style>
      .queue {{ fill: #e8f1fb; stroke: #2b6cb0; }}
      .state {{ fill: #fff8e1; stroke: #b7791f; }}
      .logic {{ fill: #edf7ee; stroke: #2f855a; }}
      .plane {{ fill: #f6f8fa; stroke: #8c959f; stroke-dasharray: 5 3; }}
      .empty {{ fill: #ffffff; stroke: #8c959f; }}
      .gone {{ fill: #eaeef2; stroke: #8c959f; }}
      .strong {{ fill: #f2b8a0; stroke: #c4501b; }}
      rect {{ stroke-width: 1.2; }}
      text {{ fill: #1f2328; text-anchor: middle; }}
      .left {{ text-anchor: start; }}
      .small {{ font-size: 11px; fill: #57606a; }}
      .name {{ font-weight: bold; }}
      .flow {{ fill: none; stroke: #57606a; stroke-width: 1.4; marker-end: url(#tip); }}
    </style>
  </defs>
  <rect x="0" y="0" width="{width}" height="{height}" fill="#ffffff" stroke="none"/>
"""


class Picture:
    """Shapes on a plane of ``width`` x ``height``."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [_HEAD.format(width=width, height=height, title=escape(title))]

    def box(self, kind: str, x: float, y: float, width: float, height: float, *lines: str) -> None:
        """A rectangle with lines of text in its middle, the first one larger."""
        self._parts.append(f'  <rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="3"/>')
        first = y + height / 2 - 7 * (len(lines) - 1) + 4
        for k, line in enumerate(lines):
            self.text(x + width / 2, first + 15 * k, line, "" if k == 0 else "small")

    def text(self, x: float, y: float, text: str, kind: str = "") -> None:
        """A line of text."""
        named = f' class="{kind}"' if kind else ""
        self._parts.append(f'  <text{named} x="{x:g}" y="{y:g}">{escape(text)}</text>')

    def flow(self, *points: tuple[float, float]) -> None:
        """An arrow through some points."""
        self._parts.append('  <path class="flow" d="M' + " L".join(f"{x:g} {y:g}" for x, y in points) + '"/>')

    def svg(self) -> str:
        """The file."""
        return "\n".join([*self._parts, "</svg>", ""])
