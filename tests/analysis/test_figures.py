"""Figures stay small however many patients they show, and keep their words and their shapes."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from analysis.figures.compact import compact
from analysis.figures.curves import survival_curves
from analysis.figures.patients import missingness_map, swimmer, waterfall
from analysis.survival import kaplan_meier

ARMS = {"control": "Control", "surgery": "Surgery"}
DRAWN = """<?xml version="1.0" encoding="utf-8" standalone="no"?>
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9.25pt" viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg">
 <metadata><note/></metadata>
 <defs><style type="text/css">*{stroke-linejoin: round}</style></defs>
 <g id="axes_1"><g id="line2d_1">
  <defs><path id="m1" d="M 0 0
L 0 3.5
" style="stroke: #000000; stroke-width: 0.8"/></defs>
  <g><use xlink:href="#m1" x="1.234567" y="2" style="stroke: #000000"/>
  <use xlink:href="#m1" x="2.987654" y="2" style="stroke: #000000"/></g></g>
  <g id="text_1"><text style="font-size: 9px; font-family: 'DejaVu Sans', sans-serif; text-anchor: middle"
   x="4.04" y="5" transform="rotate(-0 4.04 5)">a 1.234567 &lt; b</text></g>
  <image width="1" height="2" transform="matrix(35.712 0 0 1.368 51.84 13.248)"/>
 </g></svg>"""


def forms_of(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """n invented patients, and the months of their forms."""
    random = np.random.default_rng(1)
    time = random.exponential(24, n).round(4) + 0.1
    who = pd.DataFrame({"subject": np.arange(n), "arm": np.where(np.arange(n) % 2, *ARMS), "time": time})
    who = who.assign(died=random.random(n) < 0.7, progressed_at=time / 2, operated_at=1.0)
    forms = pd.DataFrame({"subject": who["subject"].repeat(5), "month": np.tile([0, 3, 6, 9, 12], n)})
    return who, forms


def drawings(n: int) -> dict[str, str]:
    """By name, the figures that show patients one by one."""
    who, forms = forms_of(n)
    statuses = pd.DataFrame({v: np.where(who["time"] > m, "completed", "died") for v, m in (("M3", 3), ("M12", 12))})
    changes = {arm: who.loc[who["arm"] == arm, "time"] for arm in ARMS}
    curves = kaplan_meier(who["time"], who["died"], who["arm"])
    return {
        "curves": survival_curves("k", curves, ARMS, ylabel="", caption="", months=[0.0, 12.0], verb="").svg,
        "map": missingness_map("m", statuses, {"M3": "3", "M12": "12"}, caption="", verb="").svg,
        "swimmer": swimmer("s", who, forms, ARMS, caption="", verb="").svg,
        "waterfall": waterfall("w", changes, ARMS, ylabel="", caption="", threshold=10, verb="").svg,
    }


def test_ten_times_as_many_patients_hardly_make_a_figure_larger():
    few, many = drawings(200), drawings(2000)

    for name, svg in many.items():
        assert len(svg) < 2.5 * len(few[name]), name
        assert len(svg) < 60_000, name


def test_a_compacted_figure_keeps_its_words_its_marks_and_the_factors_of_its_images():
    svg = compact(DRAWN)

    root = ElementTree.fromstring(svg)
    texts = [element for element in root.iter() if element.tag.endswith("}text")]
    marks = [element for element in root.iter() if element.tag.endswith("}use")]
    assert [text.text for text in texts] == ["a 1.234567 < b"]
    assert texts[0].attrib == {"style": "font-size:9px;text-anchor:middle", "x": "4", "y": "5"}
    assert [(mark.get("x"), mark.get("y")) for mark in marks] == [("1.2", "2"), ("3", "2")]
    assert re.findall(r"stroke:#000000", svg) == ["stroke:#000000"] * 2  # of the mark itself, and once of both its uses
    assert "matrix(35.712 0 0 1.368 51.84 13.248)" in svg
    assert "font-family:'DejaVu Sans', sans-serif" in root.get("style", "")
    assert "metadata" not in svg
    assert "axes_1" not in svg


@pytest.mark.parametrize(
    ("drawn", "written"),
    [("M 1 2 \nL 1 5 \nL 4 5 \nz \n", "M1 2V5H4z"), ("M 1 2 \nC 1 1 2 2 3 3 \nL 3 4.0512 \n", "M1 2C1 1 2 2 3 3V4.1")],
)
def test_a_level_or_upright_line_names_the_one_coordinate_it_changes(drawn, written):
    svg = compact(f'<svg xmlns="http://www.w3.org/2000/svg"><path d="{drawn}"/></svg>')

    assert f'd="{written}"' in svg
