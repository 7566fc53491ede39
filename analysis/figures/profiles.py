"""How do mean scores look over the months, by arm, and how do their differences?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.canvas import (
    BAND,
    COLOURS,
    DASHES,
    MARKERS,
    Figure,
    figure,
    framed,
    months_axis,
    style,
    write_below,
)

FREE = 0.09  # share of the height, above and below


def mean_profile(
    name: str,
    profile: pd.DataFrame,
    arms: Mapping[str, str],
    visits: Mapping[str, float],
    *,
    ylabel: str,
    caption: str,
    band: tuple[float, float] | None,
    verb: str,
) -> Figure:
    """Means by arm over months with 95 % intervals, and under the axis how many they rest on.

    profile: as from `profiles.mean_profile`. arms: code: label, in the order of colours. visits: code: month.
    band: from, to: within the threshold of the mean at baseline.
    """
    months = list(visits.values())
    with style(name):
        canvas, axes = framed(len(arms))
        rows = {}
        if band is not None:
            axes.axhspan(*band, color=BAND, lw=0, label="within the threshold of baseline")
        apart = (max(months) - min(months) or 1) * 0.006
        for at, (arm, label) in enumerate(arms.items()):
            mine = profile[profile.index.get_level_values("arm") == arm].droplevel("arm").reindex(list(visits))
            rows[label] = mine["n"].fillna(0).astype(int).tolist()
            _draw_means(axes, np.array(months) + (at - (len(arms) - 1) / 2) * 2 * apart, mine, label, at)
        axes.set_ylim(0, 105)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel(ylabel)
        months_axis(axes, months)
        axes.legend(frameon=False, loc="lower left", ncols=3 if len(arms) < 3 else 2)
        write_below(axes, "Number of scores", rows, months)
        return figure(canvas, name, caption, verb)


def difference_profile(
    name: str,
    differences: pd.DataFrame,
    months: Sequence[float],
    contrasts: Mapping[str, str],
    *,
    ylabel: str,
    caption: str,
    threshold: float | None,
    directions: tuple[str, str],
    verb: str,
) -> Figure:
    """Differences between arms over months with 95 % intervals, and the band of differences below the threshold.

    differences: a row per contrast and month: contrast, month, estimate, lower, upper. contrasts: code: label.
    directions: what lies above and below 0, in words.
    """
    with style(name):
        canvas, axes = framed(0)
        if threshold is not None:
            axes.axhspan(-threshold, threshold, color=BAND, lw=0, label=f"less than {threshold:g} points")
        axes.axhline(0, color="#444444", lw=1)
        apart = (max(months) - min(months) or 1) * 0.006
        for at, (contrast, label) in enumerate(contrasts.items()):
            mine = differences[differences["contrast"] == contrast]
            half = np.vstack([mine["estimate"] - mine["lower"], mine["upper"] - mine["estimate"]])
            x = mine["month"].to_numpy(float) + 2 * at * apart
            colour, marker = COLOURS[(at + 2) % len(COLOURS)], MARKERS[at % len(MARKERS)]
            axes.errorbar(x, mine["estimate"], yerr=half, color=colour, marker=marker, capsize=3, lw=1.4, label=label)
        axes.set_ylabel(ylabel)
        low, high = axes.get_ylim()
        above = FREE if len(contrasts) == 1 else FREE * (1 + len(contrasts))  # rows of the legend
        axes.set_ylim(low - FREE * (high - low), high + above * (high - low))  # words stand where no interval is
        for height, align, words in zip((0.98, 0.03), ("top", "bottom"), directions, strict=True):
            axes.text(0.995, height, words, transform=axes.transAxes, ha="right", va=align, fontsize=9, color="#5a6472")
        months_axis(axes, list(months))
        axes.legend(frameon=False, loc="upper left", ncols=2 if len(contrasts) == 1 else 1, bbox_to_anchor=(0, 1.0))
        return figure(canvas, name, caption, verb)


def _draw_means(axes: Axes, months: Any, profile: pd.DataFrame, label: str, at: int) -> None:
    there = profile["mean"].notna().to_numpy()
    means, known = profile["mean"].to_numpy(float)[there], profile["lower"].notna().to_numpy()[there]
    colour = COLOURS[at % len(COLOURS)]
    marker, dash = MARKERS[at % len(MARKERS)], DASHES[at % len(DASHES)]
    axes.plot(months[there], means, color=colour, marker=marker, linestyle=dash, label=label)
    half = (profile["upper"] - profile["mean"]).to_numpy(float)[there]
    axes.errorbar(months[there][known], means[known], yerr=half[known], fmt="none", color=colour, lw=1.2, capsize=3)
