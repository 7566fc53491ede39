"""How does every figure look: as SVG whose text stays text, the same bytes for the same numbers?"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from analysis.figures.compact import compact

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito: safe for all eyes
DASHES = ("-", (0, (6, 2)), (0, (2, 2)), (0, (6, 2, 2, 2)), "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
BAND = "#eceff3"
WIDTH, ABOVE, AXES_HEIGHT, UNDER_AXIS, ROW = 8.0, 0.12, 3.3, 0.82, 0.36  # inches
MOST_TICKS, PNG_DPI = 11, 120
Floats = NDArray[np.float64]
MACHINES = ("backend", "toolbar")  # settings that are the machine's own
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "text.parse_math": False,  # a label may hold two dollars
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure; in a notebook it shows itself.

    svg, png: whole files; the SVG may also stand inside a page. caption: what it shows, for those who see it and those
    who do not. code: the lines that make it again.
    """

    name: str
    caption: str
    svg: str
    png: bytes
    verb: str

    @property
    def code(self) -> str:
        return f'import analysis\n\ntrial = analysis.read_trial("FOLDER")\ntrial.{self.verb}.save(".")'

    def save(self, folder: Path | str) -> None:
        """Write name.svg and name.png into a folder. Raises OSError."""
        (Path(folder) / f"{self.name}.svg").write_text(self.svg, encoding="utf-8")
        (Path(folder) / f"{self.name}.png").write_bytes(self.png)

    def _repr_svg_(self) -> str:
        return self.svg


def months_shown(last: float) -> list[float]:
    """Ticks of an axis of months up to the last one: every 3, 6, 12 or more months."""
    step = next(step for step in (1, 3, 6, 12, 24, 60, 120, 600) if last / step <= MOST_TICKS - 1)
    return [float(month) for month in range(0, math.ceil(max(last, 1) / step) * step + 1, step)]


def style(name: str) -> Any:
    """Matplotlib's own defaults and ours, whatever the machine's settings; ids of an SVG hang on its name alone."""
    settings: dict[Any, Any] = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key not in MACHINES}
    settings |= {**STYLE, "svg.hashsalt": name}
    return mpl.rc_context(settings)


def framed(rows: int) -> tuple[Canvas, Axes]:
    """An empty figure with axes and, under them, room for so many rows of numbers."""
    below = UNDER_AXIS + rows * ROW + 0.05
    height = ABOVE + AXES_HEIGHT + below
    canvas = Canvas(figsize=(WIDTH, height))
    return canvas, canvas.add_axes((0.11, below / height, 0.87, AXES_HEIGHT / height))


def months_axis(axes: Axes, months: Sequence[float]) -> None:
    margin = (months[-1] - months[0] or 1) * 0.015
    axes.set_xlim(months[0] - margin, months[-1] + margin)
    axes.set_xticks(list(months), [f"{month:g}" for month in months])
    axes.set_xlabel("Months after randomisation")


def segments(x0: Floats, x1: Floats, y0: Floats, y1: Floats) -> tuple[Floats, Floats]:
    """Many separate lines as one: one path in the file."""
    gap = np.full(len(x0), np.nan)
    return np.column_stack([x0, x1, gap]).ravel(), np.column_stack([y0, y1, gap]).ravel()


def write_below(axes: Axes, title: str, rows: Mapping[str, Sequence[int]], months: Sequence[float]) -> None:
    """Rows of numbers under the axis, each number under its month."""
    across = axes.get_xaxis_transform()
    style: dict[str, Any] = {"va": "top", "fontsize": 9}
    axes.text(0, -(UNDER_AXIS - 0.22) / AXES_HEIGHT, title, transform=axes.transAxes, fontweight="bold", **style)
    for at, (label, numbers) in enumerate(rows.items()):
        y = -(UNDER_AXIS + ROW * at) / AXES_HEIGHT
        axes.text(0, y, label, transform=axes.transAxes, color=COLOURS[at % len(COLOURS)], **style)
        for month, number in zip(months, numbers, strict=True):
            axes.text(month, y - ROW / 2 / AXES_HEIGHT, str(number), transform=across, ha="center", **style)


def figure(canvas: Canvas, name: str, caption: str, verb: str) -> Figure:
    """The canvas as SVG and PNG, the same bytes for the same drawing. verb: of a trial, that draws it."""
    FigureCanvasSVG(canvas)
    text = io.StringIO()
    canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": caption})
    FigureCanvasAgg(canvas)
    image = io.BytesIO()
    canvas.savefig(image, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Figure(name, caption, compact(text.getvalue()), image.getvalue(), verb)
