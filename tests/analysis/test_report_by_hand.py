"""Every estimand's numbers in the report are those of its estimator called by hand, from the trial's own tables."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis import competing, deterioration, imputation, joint, mmrm, prognosis, qtwist, while_alive
from analysis.deterioration import DAYS_A_MONTH, Definition
from analysis.estimands import overall_survival, pooled, progression_free_survival
from analysis.responding import odds_ratios
from analysis.survival import cox, kaplan_meier, logrank
from tests.analysis.reading import numbers_beside

C30, ARMS, PAIR = "qlq-c30", ["control", "surgery"], "surgery - control"
QL = Definition("QL", "Global health", 10, higher_is_better=True)


def arm_of(patients):
    return (patients["arm"] == "surgery").astype(float).to_frame("surgery")


def strata_of(patients, event):
    return pooled(patients[["er", "metastases"]].astype(object), event, 5)


def compared(id, patients, times):
    strata = strata_of(patients, times["event"])
    test = logrank(times["time"], times["event"], patients["arm"], strata=strata)
    term = cox(times["time"], times["event"], arm_of(patients), strata=strata).terms.loc["surgery"]
    curves = kaplan_meier(times["time"], times["event"], patients["arm"]).to_frame()
    return {
        f"{id}.1.logrank.surgery.p": test.p,
        f"{id}.1.cox.surgery.hr": term["hr"],
        f"{id}.1.cox.surgery.hr.lower": term["lower"],
        f"{id}.median.control": curves.loc["control", "median"],
        f"{id}.events.surgery": curves.loc["surgery", "events"],
    }


def overall(trial):
    return compared("os", trial.randomised, overall_survival(trial.randomised))


def as_registered(trial):
    times = overall_survival(trial.randomised)
    times = pd.DataFrame({"time": times["time"].clip(upper=36), "event": times["event"] & (times["time"] <= 36)})
    return compared("os-36", trial.randomised, times)


def progression_free(trial):
    return compared("pfs", trial.randomised, progression_free_survival(trial.randomised))


def curves_of(trial):
    times = overall_survival(trial.randomised)
    return kaplan_meier(times["time"], times["event"], trial.randomised["arm"])


def at_three_years(trial):
    at, apart = curves_of(trial).survival_at(36), curves_of(trial).difference_at(36).loc[PAIR]
    return {
        "survival-36.control": at.loc["control", "survival"],
        "survival-36.difference.surgery": apart["difference"],
        "survival-36.difference.surgery.p": apart["p"],
    }


def medians(trial):
    table = curves_of(trial).to_frame()
    return {f"os-median.{arm}": table.loc[arm, "median"] for arm in ("control", "surgery")}


def changes(trial, code, until=np.inf):
    """A row per patient and later visit with both scores; visits with two of each arm, in the order of time."""
    scores = trial.scores(C30)
    base = scores[scores["baseline"]].set_index("subject")[code]
    rows = scores[~scores["baseline"] & (scores["month"] <= until)].assign(base=lambda t: t["subject"].map(base))
    rows = rows.assign(chg=rows[code] - rows["base"]).dropna(subset=["chg", "arm"])
    counts = rows.groupby(["visit", "arm"], observed=True).size().unstack(fill_value=0)
    visits = [each for each in trial.plan.months if each in counts.index and (counts.loc[each] >= 2).all()]
    rows = rows[rows["visit"].isin(visits)].merge(trial.subjects[["subject", "er", "metastases"]], on="subject")
    rows = rows.astype({"arm": object, "er": object, "metastases": object})
    rows["visit"], rows["arm"] = pd.Categorical(rows["visit"], visits), pd.Categorical(rows["arm"], ARMS)
    return rows


def repeated(trial, code):
    formula = "chg ~ base * visit + arm * visit + er + metastases"
    return mmrm.fit(formula, changes(trial, code), subject="subject", visit="visit")


def at_a_year(trial, id, *codes):
    found = {}
    for code in codes:
        row = repeated(trial, code).contrasts("arm", by="visit").loc["M12"]
        key = f"{id}.{code}.M12.difference.surgery"
        found |= {key: row["estimate"], f"{key}.lower": row["lower"], f"{key}.p": row["p"]}
    return found


def over_two_years(trial):
    model = repeated(trial, "QL")
    used = [visit for visit in model.covariance.index if trial.plan.months[visit] <= 24]
    row = model.averaged("arm", by="visit", weights=dict.fromkeys(used, 1 / len(used))).loc[PAIR]
    return {"ql-overall.QL.equal.surgery": row["estimate"], "ql-overall.QL.equal.surgery.upper": row["upper"]}


def among_the_living(trial):
    who = trial.randomised.assign(**overall_survival(trial.randomised)).rename(columns={"event": "died"})
    scores = trial.scores(C30)
    forms = scores.loc[scores["subject"].isin(who["subject"]), ["subject", "visit", "QL"]]
    visits = {code: month for code, month in trial.plan.months.items() if code != "BL" and month <= 24}
    found = while_alive.estimate(forms, who.astype({"arm": object}), score="QL", visits=visits, threshold=50)
    return {
        "ql-alive.QL.mean-among-the-living.M6.surgery": found.means.loc[("M6", "surgery"), "estimate"],
        "ql-alive.QL.alive-and-well.M12.control": found.alive_and_well.loc[("M12", "control"), "estimate"],
        "ql-alive.QL.composite.M6.difference.surgery": found.differences.loc[("composite", "M6", PAIR), "estimate"],
    }


def responders(trial):
    who, scores = trial.randomised, trial.scores(C30)
    found = deterioration.responders(scores, who, QL, visit="M12", by_day=round(12 * DAYS_A_MONTH))
    response, base = found["response"], scores[scores["baseline"]].set_index("subject")["QL"]
    worse = (response == "worsened").astype("boolean").mask(response == "unknown")
    model = odds_ratios(worse, arm_of(who).assign(base=who["subject"].map(base)))
    return {
        "responders-12.QL.worsened.surgery": ((response == "worsened") & (who["arm"] == "surgery")).sum(),
        "responders-12.QL.surgery.odds_ratio": model.terms.loc["surgery", "odds_ratio"],
    }


def deteriorated(trial, **more):
    definition = replace(QL, **more)
    times = deterioration.time_to(trial.scores(C30), trial.randomised, definition)
    return times[["subject"]].merge(trial.randomised, on="subject"), times


def competing_risks(trial):
    who, times = deteriorated(trial, death="competing")
    first = times["cause"].where(times["event"] | times["competing"])
    strata = strata_of(who, first.notna())
    at = competing.cumulative_incidence(times["time"], first, who["arm"]).at(12)
    test = competing.gray(times["time"], first, who["arm"], of="worsening", strata=strata)
    model = competing.fine_gray(times["time"], first, arm_of(who), of="worsening")
    return {
        "ttd-competing.incidence.worsening.control.12": at.loc[("control", "worsening"), "incidence"],
        "ttd-competing.worsening.gray.surgery.p": test.p,
        "ttd-competing.worsening.fine-gray.surgery.shr": model.terms.loc["surgery", "shr"],
    }


def forms_and_subjects(trial):
    """Forms by month of the answer, baselines at 0; times to death, none at 0."""
    who, times = trial.randomised, overall_survival(trial.randomised)
    subjects = pd.DataFrame({"subject": who["subject"].astype(object), "arm": who["arm"].astype(object)})
    subjects = subjects.assign(time=times["time"].clip(lower=0.5 / DAYS_A_MONTH), died=times["event"], **arm_of(who))
    subjects["stratum"] = strata_of(who, times["event"])
    forms = trial.scores(C30).drop(columns="month").merge(who[["subject", "randomised_on"]], on="subject")
    month = (forms["answered_on"] - forms["randomised_on"]).dt.days / DAYS_A_MONTH
    forms["month"] = month.clip(lower=0).where(~forms["baseline"], 0.0)
    return forms.astype({"subject": object}), subjects


def by_baseline(trial):
    found = prognosis.at_baseline(*forms_and_subjects(trial), score="QL", adjust=["surgery"], strata=["stratum"])
    return {"baseline-ql.QL.QL.hr": found.model.terms.loc["QL", "hr"]}


def by_last_score(trial):
    found = prognosis.as_it_changes(*forms_and_subjects(trial), score="QL", adjust=["surgery"], strata=["stratum"])
    return {"changing-ql.QL.QL.hr": found.model.terms.loc["QL", "hr"], "changing-ql.QL.events": found.model.events}


def together(trial):
    forms, subjects = forms_and_subjects(trial)
    subjects["arm"] = pd.Categorical(subjects["arm"], ARMS)
    ends = forms["subject"].map(subjects.set_index("subject")["time"])
    kept = forms[(forms["month"] < ends) & forms["QL"].notna()].drop_duplicates(["subject", "month"])
    names = {"subject": "subject", "month": "month", "time": "time", "event": "died"}
    model = joint.fit("QL ~ month * arm", kept[["subject", "month", "QL"]], subjects, **names, hazard="arm + stratum")
    apart = model.differences("arm", at=[12.0]).loc[(12.0, PAIR)]
    return {
        "joint-ql.QL.hazard.association": model.hazard.loc["association", "hr"],
        "joint-ql.QL.difference.12.surgery": apart["estimate"],
    }


def states_of_health(trial):
    _, subjects = forms_and_subjects(trial)
    free, events = progression_free_survival(trial.randomised), trial.adverse_events
    until = np.minimum(free["time"].clip(lower=0.5 / DAYS_A_MONTH), subjects["time"])
    subjects = subjects.assign(progression_time=until, progressed=free["event"])
    bad = events[events["grade"] >= 3].merge(trial.randomised, on="subject")
    begin = (bad["started_on"] - bad["randomised_on"]).dt.days / DAYS_A_MONTH
    end = ((bad["ended_on"] - bad["randomised_on"]).dt.days + 1) / DAYS_A_MONTH
    toxicity = pd.DataFrame({"subject": bad["subject"].astype(object), "start": begin, "stop": end})
    found = qtwist.estimate(subjects, horizon=36, toxicity=toxicity, utilities=(0.0, 0.5, 1.0))
    return {
        "q-twist-36.toxicity.surgery": found.states.loc[("surgery", "toxicity"), "estimate"],
        "q-twist-36.without-symptoms.difference.surgery": found.differences.loc[(PAIR, "without symptoms"), "estimate"],
        "q-twist-36.alive.control.lower": found.states.loc[("control", "alive"), "lower"],
    }


def imputed(trial):
    rows, who = changes(trial, "QL", until=12), trial.randomised
    scores = trial.scores(C30)
    base = scores[scores["baseline"]].set_index("subject")["QL"].dropna()
    visits = pd.DataFrame({"visit": list(rows["visit"].cat.categories)})
    grid = who[who["subject"].isin(base.index)].merge(visits, how="cross")
    died_at = (grid["died_on"] - grid["randomised_on"]).dt.days / DAYS_A_MONTH
    grid["chg"] = pd.MultiIndex.from_frame(grid[["subject", "visit"]]).map(
        rows.astype({"visit": object}).set_index(["subject", "visit"])["chg"].to_dict()
    )
    grid["alive"] = ~(died_at <= grid["visit"].map(trial.plan.months)) | grid["chg"].notna()
    grid = grid.assign(base=grid["subject"].map(base), visit=pd.Categorical(grid["visit"], list(visits["visit"])))
    grid = grid.astype({"arm": object, "subject": object, "chg": float, "base": float})
    found = imputation.estimate(grid, outcome="chg", reference="control", covariates=["base"], deltas=[-10])
    jump = found.differences.loc[("jump to reference", "M12", PAIR)]
    return {
        "missing-12.QL.jump-to-reference.surgery": jump["estimate"],
        "missing-12.QL.jump-to-reference.surgery.upper": jump["upper"],
        "missing-12.QL.tipping.surgery.0.-10": found.tipping.loc[("M12", PAIR, 0.0, -10.0), "estimate"],
        "missing-12.QL.dead.control": found.counts.loc[("M12", "control"), "dead"],
    }


def factors(trial):
    who, times, scores = trial.randomised, overall_survival(trial.randomised), trial.scores(C30)
    base = scores[scores["baseline"]].set_index("subject")
    known = trial.covariates.set_index("subject")
    columns = arm_of(who).assign(er=(who["er"] == "neg") * 1.0, metastases=(who["metastases"] == "2-4") * 1.0)
    columns["age"] = who["subject"].map(known["age"]).astype(float)
    columns["ecog"] = (who["subject"].map(known["ecog"]) == "1") * 1.0
    columns = columns.assign(QL=who["subject"].map(base["QL"]) / 10, PF=who["subject"].map(base["PF"]) / 10)
    model = cox(times["time"], times["event"], columns)
    return {f"prognostic.{code}.hr": model.terms.loc[code, "hr"] for code in ("QL", "age")}


def within_groups(trial):
    who, times = trial.randomised, overall_survival(trial.randomised)
    mine = (who["subject"].map(trial.covariates.set_index("subject")["ecog"]) == "0").to_numpy(bool)
    model = cox(times["time"][mine], times["event"][mine], arm_of(who)[mine])
    return {
        "predictive.ecog.0.surgery.hr": model.terms.loc["surgery", "hr"],
        "predictive.ecog.0.surgery.events": times["event"][mine].sum(),
    }


def events(trial):
    rows = trial.adverse_events.merge(trial.randomised[["subject", "arm"]], on="subject")
    mine = rows[rows["arm"] == "surgery"]
    return {
        "safety.any.surgery": mine["subject"].nunique(),
        "safety.severe.surgery": mine.loc[mine["grade"] >= 3, "subject"].nunique(),
        "safety.term.nausea.surgery": mine.loc[mine["term"] == "nausea", "subject"].nunique(),
    }


HANDS = {
    "os": overall,
    "os-36": as_registered,
    "survival-36": at_three_years,
    "os-median": medians,
    "pfs": progression_free,
    "ql-12": lambda trial: at_a_year(trial, "ql-12", "QL"),
    "function-12": lambda trial: at_a_year(trial, "function-12", "PF", "FA"),
    "ql-alive": among_the_living,
    "ql-overall": over_two_years,
    "responders-12": responders,
    "ttd-composite": lambda trial: compared("ttd-composite", *deteriorated(trial)),
    "ttd-competing": competing_risks,
    "ttd-definitive": lambda trial: compared("ttd-definitive", *deteriorated(trial, kind="definitive")),
    "baseline-ql": by_baseline,
    "changing-ql": by_last_score,
    "joint-ql": together,
    "q-twist-36": states_of_health,
    "missing-12": imputed,
    "prognostic": factors,
    "predictive": within_groups,
    "safety": events,
}


def test_every_estimand_of_the_plan_is_recomputed_here(sixty_trial):
    assert set(HANDS) == set(sixty_trial.plan.analysis.estimand)


@pytest.mark.parametrize("id", HANDS)
def test_the_estimator_called_by_hand_gives_the_numbers_of_the_report(id, sixty_trial, sixty_report):
    beside = numbers_beside(sixty_report)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mmrm.CovarianceFellBack)  # few patients: the report says what was fitted
        by_hand = HANDS[id](sixty_trial)

    for key, value in by_hand.items():
        shown = beside[key]["value"]
        assert (shown is None) == bool(pd.isna(value)), key
        assert shown is None or shown == pytest.approx(float(value), rel=1e-9), key
