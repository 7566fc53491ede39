"""What does a person type in a notebook to see one part of a trial, as the report shows it?"""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import pandas as pd

from analysis import trial as tables
from analysis.figures.canvas import Figure
from analysis.numbers import Numbers
from analysis.reporting import page_of
from analysis.sections.contents import written
from analysis.sections.material import Material, Section
from analysis.sections.observed import change


@dataclass(frozen=True, eq=False)
class Shown:
    """A part of the report: it draws itself in a notebook, and is a table of its numbers.

    figures: by name. frame: id, value (unrounded), text.
    """

    section: Section
    frame: pd.DataFrame

    @property
    def figures(self) -> dict[str, Figure]:
        return {figure.name: figure for figure in self.section.figures}

    @property
    def figure(self) -> Figure:
        """The first figure. Raises LookupError when there is none."""
        if not self.section.figures:
            raise LookupError(f"{self.section.title} has no figure: nothing could be drawn.")
        return self.section.figures[0]

    def to_frame(self) -> pd.DataFrame:
        return self.frame

    def _repr_html_(self) -> str:
        return page_of([self.section])

    def __str__(self) -> str:
        return f"{self.section.title}\n{self.frame[['id', 'text']].to_string(index=False)}"


class Trial(tables.Trial):
    """A trial that shows parts of its report."""

    @cached_property
    def _material(self) -> Material:
        return Material(self, self.plan, Numbers())

    def shows(self, id: str) -> Shown:
        """A section of the report by its id: an estimand's, or as participants, completion. Raises NoSuchSection."""
        material = Material(self, self.plan, Numbers(), self._material.models)
        found = written(material, [id])
        section = found[0] if found else Section(id, id)
        frame = pd.DataFrame([(each.id, each.value, each.text) for each in material.numbers])
        return Shown(section, frame.set_axis(["id", "value", "text"], axis=1) if len(frame) else pd.DataFrame())

    def km(self, id: str) -> Shown:
        """Kaplan-Meier curves with numbers at risk and the comparison of the arms, of an estimand."""
        return self.shows(id)

    def profile(self, scale: str) -> Shown:
        """Observed means of a scale by arm and visit."""
        analysis = self.plan.analysis.model_copy(update={"profile_scales": (scale,)})
        other = tables.Trial.__new__(type(self))
        for each in fields(self):
            object.__setattr__(other, each.name, getattr(self, each.name))
        object.__setattr__(other, "plan", self.plan.model_copy(update={"analysis": analysis}))
        return other.shows("quality-of-life")

    def waterfall(self, scale: str, visit: str) -> Shown:
        """Changes of a scale from baseline to a visit, patient by patient."""
        figure = change(self._material, scale, visit, self.plan.analysis.threshold)
        return Shown(Section("waterfall", f"Change of {scale} to {visit}", [figure] if figure else []), pd.DataFrame())

    def table_one(self) -> Shown:
        """Patients at baseline, by arm."""
        return self.shows("baseline")


def read_trial(folder: Path | str) -> Trial:
    """The trial in a folder. Raises BadTrial with every fault: file, row, column, what is wrong and what is right."""
    read = tables.read_trial(folder)
    return Trial(**{each.name: getattr(read, each.name) for each in fields(read)})
