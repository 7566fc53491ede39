"""What became of the patients: enrolled, randomised, withdrawn, died, analysed, by arm (the CONSORT counts)?"""

import numpy as np
import pandas as pd

CONSORT = {
    "randomised": "Randomised",
    "operated": "Had surgery",
    "withdrawn": "Withdrew",
    "progressed": "Progressed",
    "died": "Died",
    "baseline": "With a baseline form",
    "followed": "With a form after baseline",
}


def consort(subjects: pd.DataFrame, scores: pd.DataFrame, arms: list[str]) -> pd.DataFrame:
    """Counts of the randomised: a row per key of CONSORT, a column per arm (0 where an arm is empty).

    subjects: as in a trial. scores: one row a form with an answer: subject, baseline (bool).
    """
    randomised = subjects[subjects["randomised_on"].notna()]
    dated = {"operated": "surgery_on", "withdrawn": "withdrawn_on", "progressed": "progression_on", "died": "died_on"}
    facts = pd.DataFrame({"randomised": True}, index=randomised.index)
    for key, column in dated.items():
        facts[key] = randomised[column].notna()
    facts["baseline"] = randomised["subject"].isin(scores.loc[scores["baseline"], "subject"])
    facts["followed"] = randomised["subject"].isin(scores.loc[~scores["baseline"], "subject"])
    counts = facts.groupby(randomised["arm"].astype(object))[list(CONSORT)].sum()
    return counts.reindex(arms, fill_value=0).T.astype(int)


COMPLETED, UNFINISHED, MISSED, LEFT, WITHDREW, DEAD, NOT_YET, OUTSIDE = STATUSES = (
    "completed",
    "answered in part",
    "missed, no reason",
    "missed, with a reason",
    "withdrew",
    "died",
    "not due or open",
    "not asked",
)


def statuses(subjects: pd.DataFrame, forms: pd.DataFrame, answers: pd.DataFrame, instrument: str) -> pd.DataFrame:
    """What became of each planned form of the randomised: subject, arm, visit, status (one of STATUSES).

    subjects, forms, answers: as in a trial. not asked: the window was over before the patient was in the system.
    """
    days = subjects.loc[subjects["randomised_on"].notna(), ["subject", "arm", "died_on", "withdrawn_on"]]
    own = forms[forms["instrument"] == instrument].merge(days, on="subject")
    said = answers.loc[answers["value"].notna() | (answers["state"] == "answered"), ["subject", "visit", "instrument"]]
    own = own.merge(said.drop_duplicates().assign(has=True), on=["subject", "visit", "instrument"], how="left")
    has, state = own["has"].notna(), own["state"].astype(object)
    dead = (own["died_on"] < own["due_on"]) | (own["reason"] == "death")
    gone = (own["withdrawn_on"] < own["due_on"]) | (own["reason"] == "withdrawal")
    own["status"] = np.select(
        [
            has & (state == "completed"),
            has,
            dead.fillna(False),
            gone.fillna(False),
            state.isin(["not_due", "open", "started"]),
            state == "before_system",
            own["reason"].notna(),
        ],
        [COMPLETED, UNFINISHED, DEAD, WITHDREW, NOT_YET, OUTSIDE, LEFT],
        MISSED,
    )
    return own[["subject", "arm", "visit", "status"]]


def status_shares(rows: pd.DataFrame, sizes: "pd.Series[int]", visits: list[str]) -> pd.DataFrame:
    """By arm and visit, the share of all randomised in each status; who has no such form counts as not due or open.

    rows: as from `statuses`. sizes: randomised patients by arm.
    """
    counts = rows.groupby(["arm", "visit"], observed=True)["status"].value_counts().unstack(fill_value=0)
    index = pd.MultiIndex.from_product([list(sizes.index), visits], names=["arm", "visit"])
    counts = counts.reindex(index=index, columns=list(STATUSES), fill_value=0)
    total = sizes.reindex(index.get_level_values("arm")).to_numpy(float)
    counts[NOT_YET] += total - counts.sum(axis=1)
    return counts.div(np.maximum(total, 1), axis=0)
