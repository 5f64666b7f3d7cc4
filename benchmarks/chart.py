"""Lines over two logarithmic axes as SVG, legible on light and dark pages, without a drawing library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil, floor, log10

WIDTH, HEIGHT = 400, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 92, 52, 48
COLOURS = ("#3b82f6", "#d97706", "#16a34a", "#a855f7")
"""Of middling lightness: they are seen on white and on black."""
STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #768390; }
  .small { font-size: 11px; }
  .title { font-size: 13px; font-weight: 600; }
  .grid { stroke: #768390; stroke-opacity: 0.35; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One series, named at its end."""

    name: str
    points: tuple[tuple[float, float], ...]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    title: str
    across: str
    up: str
    lines: tuple[Line, ...]


def draw(panels: Sequence[Panel], description: str) -> str:
    """The panels side by side, with one scale for all, so that they can be compared."""
    points = [point for panel in panels for line in panel.lines for point in line.points]
    low, top = _decades([value for _, value in points])
    first, last = _decades([at for at, _ in points])
    wide = WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {HEIGHT}" role="img" width="{wide}" height="{HEIGHT}">',
        f"<title>{escape(description)}</title>",
        f"<style>{STYLE}</style>",
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({WIDTH * number},0)">')
        parts += _panel(panel, (first, last), (low, top))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Powers of ten between which they lie, never the same one twice."""
    low = floor(log10(min(values)))
    return low, max(ceil(log10(max(values))), low + 1)


def _panel(panel: Panel, across: tuple[int, int], up: tuple[int, int]) -> list[str]:
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(value: float) -> float:
        return LEFT + wide * (log10(value) - across[0]) / (across[1] - across[0])

    def y(value: float) -> float:
        return TOP + tall * (1 - (log10(value) - up[0]) / (up[1] - up[0]))

    found = [f'<text class="title" x="{LEFT}" y="20">{escape(panel.title)}</text>']
    for power in range(up[0], up[1] + 1):
        at = y(10.0**power)
        found.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + wide}" y1="{at:.1f}" y2="{at:.1f}"/>')
        found.append(
            f'<text class="small" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{_number(10.0**power)}</text>'
        )
    for power in range(across[0], across[1] + 1):
        at = x(10.0**power)
        found.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + tall}"/>')
        found.append(
            f'<text class="small" x="{at:.1f}" y="{TOP + tall + 16}" text-anchor="middle">{_number(10.0**power)}</text>'
        )
    found.append(
        f'<text class="small" x="{LEFT + wide / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(panel.across)}</text>'
    )
    found.append(f'<text class="small" x="{LEFT - 44}" y="{TOP - 14}">{escape(panel.up)}</text>')
    for line, label in zip(
        panel.lines, _labels([y(line.points[-1][1]) for line in panel.lines]), strict=True
    ):
        colour = COLOURS[panel.lines.index(line) % len(COLOURS)]
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line.points)
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        found.append(f'<polyline class="line" stroke="{colour}" points="{path}"{dash}/>')
        found += [
            f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>'
            for at, value in line.points
        ]
        end = x(line.points[-1][0])
        found.append(
            f'<text x="{end + 8:.1f}" y="{label + 4:.1f}" style="fill:{colour}">{escape(line.name)}</text>'
        )
    return found


def _labels(heights: Sequence[float]) -> list[float]:
    """Where names stand: at the ends of their lines, and not over each other."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found = list(heights)
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + 14)
    return found


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"
