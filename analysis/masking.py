"""How does a trial look to a committee that must not know which arm is which?

Arms become A, B and so on by a key that is kept apart. Masking is partial: what only one arm can have (surgery, visits
that hang on it, questionnaires and covariates of one arm alone) is left out, adverse events are pooled, and every text
of the plan that names an arm is withheld. A large difference between A and B may still tell an expert which is which.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase

import numpy as np
import pandas as pd

from analysis.plan import TrialPlan
from analysis.planned import Estimand
from analysis.trial import Trial

WITHHELD = "withheld while the arms are masked"
SHARED_ANCHORS = ("consent", "randomisation")
FORM = ["subject", "visit", "instrument"]
LEFT_OUT = ("q-twist",)  # rests on adverse events by arm, which would tell


def read_key(file: Path, arms: list[str]) -> dict[str, str]:
    """Arm: letter, from the key's file; drawn by chance and written there when there is none yet.

    Raises ValueError when the file's arms are not these.
    """
    if file.is_file():
        key: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        if sorted(key) != sorted(arms):
            raise ValueError(f"{file.name} is the key of other arms.\n  Name this trial's key, or another file.")
        return key
    letters = list(ascii_uppercase[: len(arms)])
    secrets.SystemRandom().shuffle(letters)
    key = dict(zip(arms, letters, strict=True))
    file.touch(mode=0o600)
    file.write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    return key


def masked(trial: Trial, key: Mapping[str, str]) -> Trial:
    """The trial with its arms called by the key, in the order of their letters, and without what would tell."""
    plan = _plan(trial.plan, key, _telling_covariates(trial))
    nothing = pd.Series(pd.NaT, trial.subjects.index, dtype="datetime64[ns]")
    subjects = trial.subjects.assign(arm=trial.subjects["arm"].map(key).astype("string"), surgery_on=nothing)
    forms = _asked_of_all(trial.forms, trial.subjects)
    forms = forms[forms["visit"].isin(plan.visit)].copy()
    for telling in ("reason", "schedule_version"):
        forms[telling] = pd.Series(pd.NA, forms.index, dtype="string")
    answers = trial.answers.merge(forms[FORM], on=FORM)
    return replace(
        trial,
        subjects=subjects,
        forms=forms.reset_index(drop=True),
        answers=answers,
        instruments={code: each for code, each in trial.instruments.items() if _is_asked(code, forms, plan)},
        adverse_events=_without_telling_terms(trial),
        plan=plan,
        masked=True,
    )


def _asked_of_all(forms: pd.DataFrame, subjects: pd.DataFrame) -> pd.DataFrame:
    """The forms without those of a questionnaire at a visit that patients of one arm alone were asked."""
    arm = forms["subject"].map(subjects.set_index("subject")["arm"])
    arms = arm.groupby([forms["visit"], forms["instrument"]], observed=True).transform("nunique")
    return forms[arms != 1] if subjects["arm"].nunique() > 1 else forms


def _without_telling_terms(trial: Trial) -> pd.DataFrame | None:
    if (events := trial.adverse_events) is None:
        return None
    tells = _telling(trial.plan)
    named = np.array([tells.search(str(term)) is not None for term in events["term"]], dtype=bool)
    return events.assign(term=events["term"].mask(named, f"term {WITHHELD}"))


def _is_asked(code: str, forms: pd.DataFrame, plan: TrialPlan) -> bool:
    kept = {plan.analysis.instrument, *(each.utility for each in plan.analysis.estimand.values())}
    return code in kept or bool((forms["instrument"] == code).any())


def _telling_covariates(trial: Trial) -> set[str]:
    """Covariates that are known of patients of one arm alone, or whose name or words name an arm."""
    tells, planned, table = _telling(trial.plan), trial.plan.analysis.covariate, trial.covariates
    found = {code for code, each in planned.items() if tells.search(f"{code} {each.label}")}
    if table is not None and trial.subjects["arm"].nunique() > 1:
        arm = table["subject"].map(trial.subjects.set_index("subject")["arm"])
        for code, each in planned.items():
            words = " ".join(map(str, table[code].dropna().unique())) if each.kind == "text" else ""
            if arm[table[code].notna()].nunique() == 1 or tells.search(words):
                found.add(code)
    return found


def _plan(plan: TrialPlan, key: Mapping[str, str], gone: set[str]) -> TrialPlan:
    letters = sorted(key.values())
    visits = {code: visit for code, visit in plan.visit.items() if visit.anchor in SHARED_ANCHORS}
    tells = _telling(plan)
    estimands = {
        id: _without(each, tells, gone)
        for id, each in plan.analysis.estimand.items()
        if each.method not in LEFT_OUT
        and (each.visit is None or each.visit in visits)
        and not (each.factors and gone.issuperset(each.factors))
    }
    analysis = plan.analysis.model_copy(
        update={
            "reference_arm": letters[0],
            "treatment": " against ".join(letters),
            "population": _withheld(plan.analysis.population, tells),
            "covariate": {code: each for code, each in plan.analysis.covariate.items() if code not in gone},
            "estimand": estimands,
        }
    )
    trial = plan.trial.model_copy(update={"title": _withheld(plan.trial.title, tells)})
    arms = {letter: f"Arm {letter}" for letter in letters}
    return plan.model_copy(update={"trial": trial, "arms": arms, "visit": visits, "analysis": analysis})


def _telling(plan: TrialPlan) -> re.Pattern[str]:
    """What names an arm: its code, and the words of its label up to the colon that no other arm has."""
    named = {arm: f"{arm} {label.partition(':')[0]}".lower() for arm, label in plan.arms.items()}
    words = {arm: set(re.findall(r"\w{4,}", label)) for arm, label in named.items()}
    own = {word for arm in words for word in words[arm] - set().union(*(words[o] for o in words if o != arm))}
    return re.compile("|".join(map(re.escape, sorted({*own, *(arm.lower() for arm in plan.arms)}))), re.IGNORECASE)


def _without(estimand: Estimand, tells: re.Pattern[str], gone: set[str]) -> Estimand:
    """The estimand without texts that tell and without factors that are left out."""
    said = {name: _withheld(getattr(estimand, name), tells) for name in ("title", "variable", "summary")}
    events = {_withheld(event, tells): strategy for event, strategy in estimand.intercurrent.items()}
    population = estimand.population and _withheld(estimand.population, tells)
    factors = tuple(each for each in estimand.factors if each not in gone)
    update = {**said, "population": population, "treatment": None, "intercurrent": events, "factors": factors}
    return estimand.model_copy(update=update)


def _withheld(text: str, tells: re.Pattern[str]) -> str:
    return WITHHELD if tells.search(text) else text
