"""How does a score run over time when it bears on survival, and what does an arm do to both?"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

import numpy as np
import pandas as pd

from analysis.intervals import ratios, tested, with_bounds
from analysis.joint.fitting import Top, maximised
from analysis.joint.likelihood import Likelihood, Numbers
from analysis.joint.parameters import Baseline, Parameters
from analysis.joint.reading import Design, Read, read
from analysis.results import Account, BadInput, Result

ASSOCIATION = "association"


@dataclass(frozen=True)
class JointModel(Result):
    """A score and the hazard of an event, joined by each patient's own course.

    longitudinal: by term, estimate, se, lower, upper (95 %), z, p, in points. hazard: by covariate, and association =
    one point more of the present score: coef, se, hr, lower, upper, z, p. baseline_hazard: log_hazard and se by piece
    (from, to), or of the Weibull intercept and log shape. sigma: SD of a form around a patient's course.
    random_effects: covariance of intercept and slope. excluded: by reason.
    """

    formula: str
    baseline: Baseline
    longitudinal: pd.DataFrame
    hazard: pd.DataFrame
    baseline_hazard: pd.DataFrame
    sigma: float
    random_effects: pd.DataFrame
    loglik: float
    aic: float
    subjects: int
    events: int
    forms: int
    excluded: dict[str, int]
    _design: Design
    _top: Top

    @property
    def account(self) -> Account:
        return Account(self.subjects, self.events, self.excluded, f"joint model, {self.baseline} baseline hazard")

    def title(self) -> str:
        left = ", ".join(f"{n} ({why})" for why, n in self.excluded.items() if n) or "none"
        counts = f"{self.subjects} subjects, {self.forms} forms, {self.events} events; left out: {left}"
        method = f"{self.baseline} baseline hazard, adaptive Gauss-Hermite, log likelihood {self.loglik:.6g}"
        return f"Joint model {self.formula}\n{counts}\n{method}"

    def to_frame(self) -> pd.DataFrame:
        """Terms of the score and of the log hazard, one below the other."""
        hazard = self.hazard.rename(columns={"coef": "estimate"})
        for bound in ("lower", "upper"):
            hazard[bound] = np.log(hazard[bound])
        shared = ["estimate", "se", "lower", "upper", "z", "p"]
        parts = {"score": self.longitudinal[shared], "log hazard": hazard[shared]}
        return pd.concat(parts, names=["of", "term"])

    def means(self, factor: str, *, at: Iterable[float]) -> pd.DataFrame:
        """Mean score by time and level of a factor, were nobody to die: estimate, se, lower, upper.

        The other covariates are as in the patients of the trial. Raises BadInput.
        """
        rows, index = self._rows(factor, list(at))
        return self._estimates(rows, index)

    def differences(self, factor: str, *, at: Iterable[float]) -> pd.DataFrame:
        """Difference of these means by time and pair of levels, later less earlier, with z and p. Raises BadInput."""
        rows, index = self._rows(factor, list(at))
        where = dict(zip(index, rows, strict=True))
        times, levels = (list(dict.fromkeys(each)) for each in zip(*index, strict=True))
        pairs = [(time, *pair) for time in times for pair in combinations(levels, 2)]
        apart = np.array([where[time, other] - where[time, one] for time, one, other in pairs])
        names = [(time, f"{other} - {one}") for time, one, other in pairs]
        table = self._estimates(apart, pd.MultiIndex.from_tuples(names, names=["time", "contrast"]))
        return tested(table)

    def _rows(self, factor: str, times: list[float]) -> tuple[Numbers, pd.MultiIndex]:
        people = self._design.subjects
        if factor not in people or not isinstance(people[factor].dtype, pd.CategoricalDtype):
            raise BadInput(f"{factor} is no factor of the formula.\n  Give it as text or as a category.")
        index, rows = [], []
        for time in times:
            for level in people[factor].cat.categories:
                given = people.assign(**{factor: pd.Series(level, people.index, dtype=people[factor].dtype)})
                rows.append(self._design.at(given, np.full(len(people), float(time))).mean(axis=0))
                index.append((time, level))
        return np.array(rows), pd.MultiIndex.from_tuples(index, names=["time", factor])

    def _estimates(self, rows: Numbers, index: pd.Index) -> pd.DataFrame:
        p = rows.shape[1]
        covariance = self._top.covariance[:p, :p]
        se = np.sqrt(np.einsum("ri,ij,rj->r", rows, covariance, rows))
        return with_bounds(pd.DataFrame({"estimate": rows @ self._top.theta[:p], "se": se}, index=index))


def fit(
    formula: str,
    forms: pd.DataFrame,
    subjects: pd.DataFrame,
    *,
    subject: str,
    month: str,
    time: str,
    event: str,
    hazard: str = "",
    baseline: str = "piecewise",
) -> JointModel:
    """Joint model of a score and of survival, with shared random intercept and slope in time.

    formula: of the score's fixed effects, as "QL ~ month * arm"; every column but the score and the time is one of
    subjects. forms: one row per subject and time: subject, month, the score. subjects: one row each: subject, time
    (> 0, in the unit of month), event (bool) and covariates; who lacks one is left out and counted, who has no form
    still counts with his survival. hazard: right side of a formula for the log hazard, as "arm + er", to which the
    present score without its error is added: the association. baseline: piecewise (constant between sevenths of the
    times) or weibull. Model after Wulfsohn and Tsiatis (1997), fitted by maximum likelihood with adaptive Gauss-Hermite
    quadrature as in Rizopoulos (2012, chapter 4; R's JM); standard errors from the observed information.
    Forms missing at random given the scores before, and death by the present score, are allowed for.
    Raises BadInput (columns, times, doubles; FormAfterTheEnd), and CannotEstimate when there are no events, columns
    determine each other, or the likelihood has no maximum.
    """
    if baseline not in get_args(Baseline):
        raise BadInput(f"there is no baseline hazard {baseline}.\n  Choose one of: {', '.join(get_args(Baseline))}.")
    found = read(formula, forms, subjects, subject, month, time, event, hazard)
    likelihood = Likelihood(found.data, baseline)  # type: ignore[arg-type]
    return _result(formula, month, found, likelihood, maximised(likelihood))


def _result(formula: str, month: str, found: Read, likelihood: Likelihood, top: Top) -> JointModel:
    of = likelihood.parameters(top.theta)
    se = np.sqrt(np.diag(top.covariance))
    names = ["intercept", f"slope in {month}"]
    return JointModel(
        formula=formula,
        baseline=likelihood.baseline,
        longitudinal=_longitudinal(of, se, found.names),
        hazard=_hazard(of, se, found.hazard_names),
        baseline_hazard=_baseline(likelihood, of, top),
        sigma=of.sigma,
        random_effects=pd.DataFrame(of.root @ of.root.T, index=names, columns=names),
        loglik=top.loglik,
        aic=2 * len(top.theta) - 2 * top.loglik,
        subjects=len(found.data.time),
        events=int(found.data.event.sum()),
        forms=len(found.data.y),
        excluded=found.excluded,
        _design=found.design,
        _top=top,
    )


def _longitudinal(of: Parameters, se: Numbers, names: list[str]) -> pd.DataFrame:
    table = pd.DataFrame({"estimate": of.beta, "se": se[: of.p]}, index=pd.Index(names, name="term"))
    return tested(with_bounds(table))


def _hazard(of: Parameters, se: Numbers, names: list[str]) -> pd.DataFrame:
    begin = of.p + 4
    part = slice(begin, begin + of.g + 1)
    return ratios(of.theta[part], se[part], [*names, ASSOCIATION], "hr")


def _baseline(likelihood: Likelihood, of: Parameters, top: Top) -> pd.DataFrame:
    """Of a score of 0, as R's JM gives it; inside, the score is counted from its mean."""
    k, alpha = len(of.hazard), of.p + 4 + of.g
    turn = np.zeros((k, len(top.theta)))
    turn[np.arange(k), np.arange(alpha + 1, alpha + 1 + k)] = 1
    heights = [0] if of.baseline == "weibull" else list(range(k))
    turn[heights, alpha] = -likelihood.middle
    se = np.sqrt(np.diag(turn @ top.covariance @ turn.T))
    columns = {"estimate": turn @ top.theta, "se": se}
    if of.baseline == "weibull":
        return pd.DataFrame(columns, index=pd.Index(["intercept", "log shape"], name="term"))
    bounds = likelihood.data.bounds
    return pd.DataFrame({"from": bounds[:-1], "to": bounds[1:], **columns}).rename_axis("piece")
