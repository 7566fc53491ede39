"""Every number on who took part and which forms came, counted from the tables."""

import numpy as np
from scipy import stats

from tests.analysis.by_hand import health, lives
from tests.analysis.by_hand.cells import ARMS, C30, OTHER, STRATA, by_arm, interval, shares

SCALES = ("QL", "PF", "FA")
CLOSED = ("completed", "closed_unfinished", "missed", "excused")


def consort(trial):
    everybody, who, scores = trial.subjects, trial.randomised, trial.scores(C30)
    left = everybody[everybody["randomised_on"].isna()]
    cells = {"consort.enrolled": len(everybody), "consort.randomised": len(who), "consort.not-randomised": len(left)}
    cells["consort.not-randomised.withdrawn"] = left["withdrawn_on"].notna().sum()
    days = {"randomised": "randomised_on", "operated": "surgery_on", "withdrawn": "withdrawn_on"}
    for name, column in (days | {"progressed": "progression_on", "died": "died_on"}).items():
        cells |= by_arm(f"consort.{name}", who, who[column].notna())
    cells |= by_arm("consort.baseline", who, who["subject"].isin(scores.loc[scores["baseline"], "subject"]))
    return cells | by_arm("consort.followed", who, who["subject"].isin(scores.loc[~scores["baseline"], "subject"]))


def baseline(trial):
    who, scores = trial.randomised, trial.scores(C30)
    known, base = trial.covariates.set_index("subject"), scores[scores["baseline"]].set_index("subject")
    cells = by_arm("baseline.n", who, who["arm"].notna())
    words = {name: who[name] for name in [*STRATA, "site"]} | {"ecog": who["subject"].map(known["ecog"])}
    for name, values in words.items():
        for level in set(values):
            counts = by_arm(f"baseline.{name}.{level}", who, values == level)
            cells |= counts | shares(counts, who)
    numbers = {"age": known["age"]} | {code: base[code] for code in SCALES}
    for name, values in numbers.items():
        for arm in ARMS:
            mine = who.loc[who["arm"] == arm, "subject"].map(values).dropna().astype(float)
            key = f"baseline.{name}.{arm}"
            cells |= {f"{key}.n": len(mine), f"{key}.mean": mine.mean(), f"{key}.sd": mine.std()}
    return cells


def forms_of(trial):
    """Forms of the randomised, each with its patient's arm and days, and whether it has an answer."""
    said = trial.answers[trial.answers["value"].notna() | (trial.answers["state"] == "answered")]
    has = set(zip(said["subject"], said["visit"], strict=True))
    who = trial.randomised[["subject", "arm", "died_on", "withdrawn_on"]]
    forms = trial.forms[trial.forms["instrument"] == C30].merge(who, on="subject")
    return forms.assign(has=[key in has for key in zip(forms["subject"], forms["visit"], strict=True)])


def completion(trial):
    forms, sizes, cells = forms_of(trial), trial.randomised["arm"].value_counts(), {}
    closed = forms["state"].isin(CLOSED)
    expected = forms["expected"].astype(bool) & closed
    complete = expected & forms["has"] & (forms["state"] == "completed")
    masks = {"expected": expected, "received": expected & forms["has"], "complete": complete}
    masks |= {"unfinished": masks["received"] & ~complete, "unexpected": closed & ~expected & forms["has"]}
    for visit in trial.plan.visit:
        for arm in ARMS:
            here, key = (forms["visit"] == visit) & (forms["arm"] == arm), f"completion.{C30}.{arm}.{visit}"
            counts = {name: int((mask & here).sum()) for name, mask in masks.items()}
            received = counts["received"]
            of_expected = received / counts["expected"] if counts["expected"] else np.nan
            cells |= {f"{key}.{name}": n for name, n in counts.items()} | {f"{key}.randomised": sizes[arm]}
            cells[f"{key}.received_per_expected"] = of_expected
            cells[f"{key}.received_per_randomised"] = received / sizes[arm]
    return cells


def why_gone(form):
    """Why a form is in no denominator; None where it is."""
    if form["has"]:
        return None
    if form["died_on"] < form["due_on"] or form["reason"] == "death":
        return "died"
    if form["withdrawn_on"] < form["due_on"] or form["reason"] == "withdrawal":
        return "withdrew"
    if form["state"] in ("not_due", "open", "started"):
        return "not-due-or-open"
    return "not-asked" if form["state"] == "before_system" else None


def left(trial):
    forms, sizes, cells = forms_of(trial), trial.randomised["arm"].value_counts(), {}
    forms["reason"] = forms["reason"].fillna("")
    why = np.array([why_gone(form) for form in forms.to_dict("records")], dtype=object)
    for visit in trial.plan.visit:
        for arm in ARMS:
            here = ((forms["visit"] == visit) & (forms["arm"] == arm)).to_numpy(bool)
            for word in ("died", "withdrew", "not-due-or-open", "not-asked"):
                without = sizes[arm] - here.sum() if word == "not-due-or-open" else 0  # who has no such form
                cells[f"left.{arm}.{visit}.{word}"] = (why[here] == word).sum() + without
    return cells


def reasons(trial):
    forms, cells = forms_of(trial), {}
    missed = forms[(forms["state"] == "missed") & forms["expected"].astype(bool)]
    words = missed["reason"].fillna("no reason given")
    for word in set(words):
        cells |= by_arm(f"reason.{word.replace(' ', '-')}", missed, words == word)
    return cells


def profiles(trial):
    scores, cells = trial.scores(C30), {}
    for code in SCALES:
        for arm in ARMS:
            for visit in trial.plan.visit:
                mine = scores.loc[(scores["arm"] == arm) & (scores["visit"] == visit), code].dropna()
                key, n = f"profile.{code}.{arm}.{visit}", len(mine)
                cells[f"{key}.n"] = n
                if n:
                    half = stats.t.ppf(0.975, n - 1) * mine.std() / np.sqrt(n) if n > 1 else np.nan
                    row = {"mean": mine.mean(), "lower": mine.mean() - half, "upper": mine.mean() + half}
                    cells |= interval(f"{key}.mean", row, "mean")
    return cells


def oddities(trial):
    cells = {}
    for each in trial.oddities:
        table = getattr(trial, each.table)
        cells[f"odd.{each.code}.rows"] = len(each.rows)
        cells[f"odd.{each.code}.patients"] = table.iloc[np.array(each.rows) - 2]["subject"].nunique()
    return cells


def hierarchy(trial):
    """The p-value of each tested estimand once more."""
    told = {id: lives.HANDS[id](trial)[f"{id}.1.logrank.{OTHER}.p"] for id in ("os", "pfs", "ttd-composite")}
    told["survival-36"] = lives.at_three_years(trial)[f"survival-36.difference.{OTHER}.p"]
    told["ql-12"] = health.by_visit(trial, "ql-12", "QL")[f"ql-12.QL.M12.difference.{OTHER}.p"]
    return {f"hierarchy.{id}.p": p for id, p in told.items()}


HANDS = {
    "consort": consort,
    "baseline": baseline,
    "completion": completion,
    "left": left,
    "reason": reasons,
    "profile": profiles,
    "odd": oddities,
    "hierarchy": hierarchy,
}
