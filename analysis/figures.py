"""How do curves and profiles look: as SVG whose text stays text, the same bytes for the same numbers?"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from analysis.survival import KaplanMeier

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito: safe for all eyes
DASHES = ("-", (0, (6, 2)), (0, (2, 2)), (0, (6, 2, 2, 2)), "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH, ABOVE, AXES_HEIGHT, UNDER_AXIS, ROW = 8.0, 0.12, 3.3, 0.82, 0.36  # inches
MOST_TICKS = 11
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
}


@dataclass(frozen=True)
class Figure:
    """A drawn figure. svg: a whole SVG file. caption: what it shows, for those who see it and those who do not."""

    name: str
    caption: str
    svg: str

    @property
    def inline(self) -> str:
        """The SVG as it stands inside a page, without what would clash with another one there."""
        body = self.svg[self.svg.index("<svg") :]
        referred = set(re.findall(r"#([\w.-]+)", body))
        return re.sub(r' id="([\w.-]+)"', lambda found: found[0] if found[1] in referred else "", body)


def months_shown(last: float) -> list[float]:
    """Ticks of an axis of months up to the last one: every 3, 6, 12 or more months."""
    step = next(step for step in (1, 3, 6, 12, 24, 60, 120, 600) if last / step <= MOST_TICKS - 1)
    return [float(month) for month in range(0, math.ceil(max(last, 1) / step) * step + 1, step)]


def survival_curves(
    name: str, curves: KaplanMeier, arms: Mapping[str, str], *, ylabel: str, caption: str, months: Sequence[float]
) -> Figure:
    """Kaplan-Meier curves with 95 % bands, and under the axis the numbers at risk.

    arms: code: label, in the order of colours; an arm without patients has no curve. months: ticks of the axis.
    """
    with _style(name):
        canvas, axes = _framed(len(arms))
        for at, (arm, label) in enumerate(arms.items()):
            if arm in curves.curves:
                _draw_curve(axes, curves.curves[arm], label, at)
        axes.set_ylim(0, 1.02)
        axes.set_yticks(np.linspace(0, 1, 6), [f"{share} %" for share in range(0, 101, 20)])
        axes.set_ylabel(ylabel)
        _months_axis(axes, months)
        axes.legend(frameon=False, loc="lower left")
        at_risk = curves.at_risk(months).reindex(list(arms), fill_value=0).to_numpy().tolist()
        rows = dict(zip(arms.values(), at_risk, strict=True))
        _write_below(axes, "Number at risk", rows, months)
        return _figure(canvas, name, caption)


def mean_profile(
    name: str,
    profile: pd.DataFrame,
    arms: Mapping[str, str],
    visits: Mapping[str, float],
    *,
    ylabel: str,
    caption: str,
) -> Figure:
    """Means by arm over months with 95 % intervals, and under the axis how many they rest on.

    profile: as from `profiles.mean_profile`. arms: code: label, in the order of colours. visits: code: month.
    """
    months = list(visits.values())
    with _style(name):
        canvas, axes = _framed(len(arms))
        rows = {}
        apart = (max(months) - min(months) or 1) * 0.006
        for at, (arm, label) in enumerate(arms.items()):
            mine = profile[profile.index.get_level_values("arm") == arm].droplevel("arm").reindex(list(visits))
            rows[label] = mine["n"].fillna(0).astype(int).tolist()
            _draw_means(axes, np.array(months) + (at - (len(arms) - 1) / 2) * 2 * apart, mine, label, at)
        axes.set_ylim(0, 105)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel(ylabel)
        _months_axis(axes, months)
        axes.legend(frameon=False, loc="lower left", ncols=len(arms))
        _write_below(axes, "Number of scores", rows, months)
        return _figure(canvas, name, caption)


def _style(name: str) -> Any:
    """Matplotlib's own defaults and ours, whatever the machine's settings; ids of an SVG hang on its name alone."""
    settings: dict[Any, Any] = {key: mpl.rcParamsDefault[key] for key in mpl.rcParamsDefault if key not in MACHINES}
    settings |= {**STYLE, "svg.hashsalt": name}
    return mpl.rc_context(settings)


def _framed(rows: int) -> tuple[Canvas, Axes]:
    """An empty figure with axes and, under them, room for so many rows of numbers."""
    below = UNDER_AXIS + rows * ROW + 0.05
    height = ABOVE + AXES_HEIGHT + below
    canvas = Canvas(figsize=(WIDTH, height))
    return canvas, canvas.add_axes((0.09, below / height, 0.89, AXES_HEIGHT / height))


def _draw_curve(axes: Axes, curve: pd.DataFrame, label: str, at: int) -> None:
    colour, time = COLOURS[at % len(COLOURS)], curve["time"].to_numpy(float)
    survival = curve["survival"].to_numpy(float)
    start = time[0] > 0
    x, y = (np.concatenate([[0.0], time]), np.concatenate([[1.0], survival])) if start else (time, survival)
    axes.step(x, y, where="post", color=colour, linestyle=DASHES[at % len(DASHES)], label=label)
    bounded = curve[curve["lower"].notna()]
    axes.fill_between(bounded["time"], bounded["lower"], bounded["upper"], step="post", color=colour, alpha=0.15, lw=0)
    left = curve[curve["censored"] > 0]
    axes.plot(left["time"], left["survival"], linestyle="", marker="|", markersize=5, color=colour, alpha=0.7)


def _draw_means(axes: Axes, months: Any, profile: pd.DataFrame, label: str, at: int) -> None:
    there = profile["mean"].notna().to_numpy()
    means, known = profile["mean"].to_numpy(float)[there], profile["lower"].notna().to_numpy()[there]
    colour = COLOURS[at % len(COLOURS)]
    marker, dash = MARKERS[at % len(MARKERS)], DASHES[at % len(DASHES)]
    axes.plot(months[there], means, color=colour, marker=marker, linestyle=dash, label=label)
    half = (profile["upper"] - profile["mean"]).to_numpy(float)[there]
    axes.errorbar(months[there][known], means[known], yerr=half[known], fmt="none", color=colour, lw=1.2, capsize=3)


def _months_axis(axes: Axes, months: Sequence[float]) -> None:
    margin = (months[-1] - months[0]) * 0.015
    axes.set_xlim(months[0] - margin, months[-1] + margin)
    axes.set_xticks(list(months), [f"{month:g}" for month in months])
    axes.set_xlabel("Months after randomisation")


def _write_below(axes: Axes, title: str, rows: Mapping[str, Sequence[int]], months: Sequence[float]) -> None:
    """Rows of numbers under the axis, each number under its month."""
    across = axes.get_xaxis_transform()
    style: dict[str, Any] = {"va": "top", "fontsize": 9}
    axes.text(0, -(UNDER_AXIS - 0.22) / AXES_HEIGHT, title, transform=axes.transAxes, fontweight="bold", **style)
    for at, (label, numbers) in enumerate(rows.items()):
        y = -(UNDER_AXIS + ROW * at) / AXES_HEIGHT
        axes.text(0, y, label, transform=axes.transAxes, color=COLOURS[at % len(COLOURS)], **style)
        for month, number in zip(months, numbers, strict=True):
            axes.text(month, y - ROW / 2 / AXES_HEIGHT, str(number), transform=across, ha="center", **style)


def _figure(canvas: Canvas, name: str, caption: str) -> Figure:
    FigureCanvasSVG(canvas)
    text = io.StringIO()
    canvas.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": caption})
    return Figure(name, caption, text.getvalue())
