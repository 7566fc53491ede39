"""How much worse must the missing answers be before the conclusion tips?"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from analysis.figures.canvas import COLOURS, WIDTH, Figure, figure, style

SIGNIFICANT = 0.05


def tipping_map(name: str, tipping: Any, *, reference: str, other: str, caption: str, verb: str) -> Figure:
    """The p-value by points added to the imputed scores of either arm, in a grid.

    tipping: index "to reference", "to others"; estimate, p. Cells with p < 0.05 are filled; the one
    without points added is framed.
    """
    p: Any = tipping["p"].unstack("to others")
    estimate: Any = tipping["estimate"].unstack("to others")
    with style(name):
        canvas = Canvas(figsize=(WIDTH, 1.6 + 0.36 * len(p)))
        axes = canvas.add_axes((0.12, 0.14, 0.85, 0.8))
        found = (p.to_numpy(float) < SIGNIFICANT).astype(float)
        axes.imshow(np.where(found, 0.35, 0.0), cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="none")
        for row in range(p.shape[0]):
            for column in range(p.shape[1]):
                bold = "bold" if found[row, column] else "normal"
                text = f"{round(estimate.iat[row, column], 1) + 0.0:.1f}"
                axes.text(column, row, text, ha="center", va="center", fontsize=8.5, fontweight=bold, color="#1b1f24")
        here = list(p.columns).index(0.0) - 0.5, list(p.index).index(0.0) - 0.5
        axes.add_patch(Rectangle(here, 1, 1, fill=False, edgecolor=COLOURS[1], lw=1.6))
        axes.set_xticks(range(p.shape[1]), [signed(points) for points in p.columns])
        axes.set_yticks(range(p.shape[0]), [signed(points) for points in p.index])
        axes.set_xlabel(f"Points added to imputed scores of {other}")
        axes.set_ylabel(f"Points added to those of {reference}")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_color(COLOURS[0])
        return figure(canvas, name, caption, verb)


def signed(points: float) -> str:
    """+5, -5 or 0."""
    return f"{points:+g}" if points else "0"
