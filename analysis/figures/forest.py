"""How do hazard ratios look beside each other?"""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure as Canvas

from analysis.figures.canvas import COLOURS, WIDTH, Figure, figure, style

ROW_HEIGHT = 0.36  # inches


class Line(NamedTuple):
    """One line of a forest. text: what stands right of it; head: a line that only names a group."""

    label: str
    ratio: float = float("nan")
    lower: float = float("nan")
    upper: float = float("nan")
    text: str = ""


def forest(
    name: str, lines: Sequence[Line], *, xlabel: str, favours: tuple[str, str] | None, caption: str, verb: str
) -> Figure:
    """Ratios with their intervals on a log axis. favours: what lies left and right of 1, in words."""
    with style(name):
        below = 0.8
        height = ROW_HEIGHT * (len(lines) + 0.6) + below
        canvas = Canvas(figsize=(WIDTH, height))
        axes = canvas.add_axes((0.36, below / height, 0.38, 1 - below / height - 0.02))
        axes.axvline(1, color="#444444", lw=1)
        for at, line in enumerate(lines):
            y = len(lines) - at
            bold = "bold" if line.ratio != line.ratio and not line.text else "normal"
            axes.text(
                -0.94, y, line.label, transform=axes.get_yaxis_transform(), va="center", fontsize=9, fontweight=bold
            )
            axes.text(1.03, y, line.text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)
            if line.ratio == line.ratio:
                axes.plot([line.lower, line.upper], [y, y], color=COLOURS[0], lw=1.6)
                axes.plot([line.ratio], [y], color=COLOURS[0], marker="s", markersize=6)
        axes.set_xscale("log")
        bounds = [x for line in lines for x in (line.lower, line.upper) if x == x and 0 < x < float("inf")]
        low, high = max(min([*bounds, 0.5]), 0.02), min(max([*bounds, 2.0]), 50)
        axes.set_xlim(low / 1.1, high * 1.1)
        ticks = [tick for tick in (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 20, 50) if low / 1.1 <= tick <= high * 1.1]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(0.4, len(lines) + 0.7)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
        axes.set_xlabel(xlabel)
        if favours is not None:
            for x, words, align in ((-0.06, f"← {favours[0]}", "left"), (1.06, f"{favours[1]} →", "right")):
                axes.text(x, -0.62 / (height - below), words, transform=axes.transAxes, ha=align, va="top", fontsize=9)
        return figure(canvas, name, caption, verb)
