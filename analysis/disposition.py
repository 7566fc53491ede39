"""What became of the patients: enrolled, randomised, withdrawn, died, analysed, by arm (the CONSORT counts)?"""

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
