"""How do the scores look as a patient a row and a visit a column, and can they be imputed?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.results import BadInput, CannotEstimate, require, rows_of

Numbers = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """n subjects, m visits: y (n, m), NaN = missing; alive (n, m); arm (n,); x (n, k); reference first among arms."""

    y: Numbers
    alive: Mask
    arm: NDArray[np.object_]
    x: Numbers
    arms: tuple[str, ...]
    visits: tuple[Any, ...]
    covariates: tuple[str, ...]

    @classmethod
    def of(cls, data: pd.DataFrame, outcome: str, reference: str, covariates: list[str]) -> "Table":
        require(data, ["subject", "visit", "arm", "alive", outcome, *covariates], "data")
        _check(data, outcome, covariates)
        kind = data["visit"].astype("category").cat.remove_unused_categories()
        wide = data.assign(visit=kind).pivot(index="subject", columns="visit", values=[outcome, "alive"])
        lacks = np.isnan(wide["alive"].to_numpy(float)).any(axis=1)
        if lacks.any():
            lacking = wide.index[lacks].tolist()
            raise BadInput(
                f"subjects lack a row at some visit: {', '.join(map(str, lacking[:5]))}.\n"
                "  Give a row at every visit, without a score where there is none."
            )
        first = data.drop_duplicates("subject").set_index("subject").loc[wide.index]
        arm = first["arm"].astype(str).to_numpy(dtype=object)
        if reference not in set(arm):
            raise BadInput(f"there is no arm {reference}.\n  There are: {', '.join(sorted(set(arm)))}.")
        others = sorted(set(arm) - {reference})
        if not others:
            raise CannotEstimate("all patients are in the reference arm")
        return cls(
            y=wide[outcome].to_numpy(float),
            alive=wide["alive"].to_numpy(bool),
            arm=arm,
            x=first[covariates].to_numpy(float),
            arms=(reference, *others),
            visits=tuple(kind.cat.categories),
            covariates=tuple(covariates),
        )

    def without(self, row: int) -> "Table":
        kept = np.arange(len(self.arm)) != row
        whole = self.arms, self.visits, self.covariates
        return Table(self.y[kept], self.alive[kept], self.arm[kept], self.x[kept], *whole)

    def long(self) -> pd.DataFrame:
        """A row per subject and visit, for the model."""
        n, m = self.y.shape
        columns = {f"x{at}": np.repeat(self.x[:, at], m) for at in range(self.x.shape[1])}
        return pd.DataFrame(
            {
                "subject": np.repeat(np.arange(n), m),
                "visit": pd.Categorical(np.tile([str(visit) for visit in self.visits], n), list(map(str, self.visits))),
                "arm": pd.Categorical(np.repeat(self.arm, m), self.arms),
                "score": self.y.ravel(),
                **columns,
            }
        )

    def counts(self) -> pd.DataFrame:
        rows = {}
        for at, visit in enumerate(self.visits):
            for arm in self.arms:
                mine = self.arm == arm
                seen = int(np.isfinite(self.y[mine, at]).sum())
                living = int(self.alive[mine, at].sum())
                rows[visit, arm] = {"observed": seen, "imputed": living - seen, "dead": int(mine.sum()) - living}
        index = pd.MultiIndex.from_tuples(list(rows), names=["visit", "arm"])
        return pd.DataFrame(list(rows.values()), index=index)


def _check(data: pd.DataFrame, outcome: str, covariates: list[str]) -> None:
    if (twice := data.duplicated(["subject", "visit"])).any():
        raise BadInput(f"a subject is twice at one visit in rows {rows_of(twice)}.\n  Keep one of them.")
    if (dead := data[outcome].notna() & ~data["alive"].astype(bool)).any():
        raise BadInput(f"{outcome} is known and the patient is dead in rows {rows_of(dead)}.\n  Correct either.")
    if (gaps := data[["subject", "visit", "arm", "alive", *covariates]].isna().any(axis=1)).any():
        raise BadInput(f"a label or covariate is missing in rows {rows_of(gaps)}.\n  Leave these patients out.")
    for name in ["arm", *covariates]:
        if (data.groupby("subject")[name].nunique() > 1).any():
            raise BadInput(f"{name} changes within a subject.\n  Give its value at randomisation.")
