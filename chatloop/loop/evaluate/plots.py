"""Small SVG plots as text: a bar with its interval, a reliability diagram, a risk-coverage curve.

Only numbers come in, so nothing needs escaping. Colours are classes of the page's style sheet;
nothing is fetched, nothing runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatloop.loop.evaluate.metrics import Share

WIDTH, HEIGHT = 440, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 22, 14, 44
_MOST_POINTS = 160
_STEPS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2)
_GRID_LINES = 5


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of about the same confidence: their mean confidence and the share right."""

    confidence: float
    right: Share


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the risk-coverage plot, shares in [0, 1]; `high` is an upper bound of the risk."""

    coverage: float
    risk: float
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """Maps shares to pixels. `y_top` is the share at the upper edge."""

    y_top: float = 1.0

    def x(self, share: float) -> float:
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, share: float) -> float:
        height = HEIGHT - _TOP - _BOTTOM
        return round(HEIGHT - _BOTTOM - min(share / self.y_top, 1.0) * height, 1)


def bar(share: Share) -> str:
    """Return a bar from 0 to the share with its interval as a line; it takes the width it gets."""
    value, low, high = (f"{100 * x:.1f}%" for x in (share.value, share.low, share.high))
    return (
        '<svg class="bar" height="14" aria-hidden="true">'
        '<rect class="track" width="100%" height="8" y="3" rx="4"/>'
        f'<rect class="fill" width="{value}" height="8" y="3" rx="4"/>'
        f'<line class="span" x1="{low}" x2="{high}" y1="7" y2="7"/>'
        f'<line class="span" x1="{low}" x2="{low}" y1="3.5" y2="10.5"/>'
        f'<line class="span" x1="{high}" x2="{high}" y1="3.5" y2="10.5"/></svg>'
    )


def reliability_diagram(bins: Sequence[Bin]) -> str:
    """Return confidence against share right; the diagonal is a model that keeps its word."""
    frame = _Frame()
    most = max((b.right.n for b in bins), default=1)
    marks = [_whisker(frame, b.confidence, b.right.low, b.right.high) for b in bins]
    marks += [
        _dot(frame, b.confidence, b.right.value, 3 + 5 * (b.right.n / most) ** 0.5) for b in bins
    ]
    diagonal = _line(frame, (0, 0), (1, 1), "guide")
    return _plot(frame, [diagonal, *marks], "confidence that the bot states", "share right")


def risk_coverage(
    curve: Sequence[Point], *, target: float, here: Point | None, tested: Point | None
) -> str:
    """Return the share wrong (upwards) against the share answered (rightwards).

    `here`: the threshold on these rows, filled. `tested`: the certificate's own rows, hollow, with
    its bound as a line upwards.
    """
    marked = [p for p in (here, tested) if p]
    highest = max([target * 2, *(p.risk for p in curve[-1:]), *(p.high or p.risk for p in marked)])
    frame = _Frame(y_top=_nice_above(highest * 1.1))
    steps = " ".join(f"{frame.x(p.coverage)},{frame.y(p.risk)}" for p in _thinned(curve))
    drawn = [
        _line(frame, (0, target), (1, target), "guide"),
        f'<text class="note" x="{frame.x(1) - 2}" y="{frame.y(target) - 5}" '
        f'text-anchor="end">target {100 * target:g} %</text>',
        f'<polyline class="curve" points="{steps}"/>',
    ]
    if tested:
        drawn.append(_whisker(frame, tested.coverage, tested.risk, tested.high or tested.risk))
        drawn.append(_dot(frame, tested.coverage, tested.risk, 5, "hollow"))
    if here:
        drawn.append(_dot(frame, here.coverage, here.risk, 5.5))
    return _plot(frame, drawn, "share answered alone", "share wrong of those")


def _thinned(curve: Sequence[Point]) -> Sequence[Point]:
    step = max(1, len(curve) // _MOST_POINTS)
    return [*curve[:-1:step], *curve[-1:]]


def _nice_above(share: float) -> float:
    """Return the upper edge of an axis whose lines lie at round numbers."""
    return _GRID_LINES * next((s for s in _STEPS if s * _GRID_LINES >= share), _STEPS[-1])


def _plot(frame: _Frame, drawn: Sequence[str], x_name: str, y_name: str) -> str:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{y_name} against {x_name}">{_axes(frame)}{"".join(drawn)}'
        f'<text class="name" x="{frame.x(0.5)}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{x_name}</text>'
        f'<text class="name" transform="translate(11 {middle}) rotate(-90)" '
        f'text-anchor="middle">{y_name}</text></svg>'
    )


def _axes(frame: _Frame) -> str:
    parts = []
    for k in range(_GRID_LINES + 1):
        share = k / _GRID_LINES
        parts.append(_line(frame, (0, share * frame.y_top), (1, share * frame.y_top), "grid"))
        parts.append(_tick(frame.x(share), HEIGHT - _BOTTOM + 17, "middle", share))
        y = frame.y(share * frame.y_top) + 4
        parts.append(_tick(_LEFT - 7, y, "end", share * frame.y_top))
    return "".join(parts)


def _tick(x: float, y: float, anchor: str, share: float) -> str:
    return f'<text class="tick" x="{x}" y="{y:g}" text-anchor="{anchor}">{100 * share:.3g} %</text>'


def _line(frame: _Frame, start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    (x1, y1), (x2, y2) = ((frame.x(x), frame.y(y)) for x, y in (start, end))
    return f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def _whisker(frame: _Frame, x: float, low: float, high: float) -> str:
    return _line(frame, (x, low), (x, high), "span")


def _dot(frame: _Frame, x: float, y: float, radius: float, kind: str = "dot") -> str:
    return f'<circle class="{kind}" cx="{frame.x(x)}" cy="{frame.y(y)}" r="{radius:.1f}"/>'
