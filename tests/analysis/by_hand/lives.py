"""Every number on survival, deterioration and prognosis, from the estimators alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis import competing, deterioration, prognosis, qtwist
from analysis.deterioration import DAYS_A_MONTH, Definition
from analysis.estimands import overall_survival, pooled, progression_free_survival
from analysis.figures.canvas import months_shown
from analysis.survival import cox, follow_up, kaplan_meier, logrank, ph_test, rmst
from tests.analysis.by_hand.cells import ARMS, C30, OTHER, PAIR, STRATA, arm_of, by_arm, interval

QL = Definition("QL", "Global health", 10, higher_is_better=True)


def strata_of(patients, event):
    return pooled(patients[STRATA].astype(object), event, 5)


def compared(id, patients, times, month=None):
    """Curves, numbers at risk, log-rank test and Cox model, stratified and plain, and the check of its hazards."""
    time, event, arm = times["time"], times["event"], patients["arm"]
    curves, cells = kaplan_meier(time, event, arm), {}
    at_risk = curves.at_risk(months_shown(float(time.max())))
    for each, row in curves.to_frame().iterrows():
        cells |= {f"{id}.n.{each}": row["n"], f"{id}.events.{each}": row["events"]}
        cells |= interval(f"{id}.median.{each}", row, "median")
        cells |= {f"{id}.at-risk.{each}.{at:g}": at_risk.loc[each, at] for at in at_risk}
        if month:
            cells |= interval(f"{id}.at.{each}", curves.survival_at(month).loc[each], "survival")
    for n, strata in ((1, strata_of(patients, event)), (2, None)):
        test = logrank(time, event, arm, strata=strata)
        term = cox(time, event, arm_of(patients), strata=strata).terms.loc[OTHER]
        cells |= {f"{id}.{n}.logrank.{OTHER}.chi_square": test.chi_square, f"{id}.{n}.logrank.{OTHER}.p": test.p}
        cells |= {**interval(f"{id}.{n}.cox.{OTHER}.hr", term, "hr"), f"{id}.{n}.cox.{OTHER}.p": term["p"]}
    model = cox(time, event, arm_of(patients), strata=strata_of(patients, event))
    hazards = ph_test(model).table.loc["GLOBAL"]
    cells |= {f"{id}.ph.chi_square": hazards["chi_square"], f"{id}.ph.p": hazards["p"]}
    return cells | {f"{id}.cox.n": model.n, f"{id}.cox.events": model.events}


def followed(id, trial):
    alive = trial.randomised[trial.randomised["died_on"].isna()]
    days = (pd.Timestamp(trial.data_cut) - alive["last_alive_on"]).dt.days
    return {f"{id}.followed.recent": (days <= 92).sum(), f"{id}.followed.alive": len(alive)}


def overall(trial):
    times = overall_survival(trial.randomised)
    found = rmst(times["time"], times["event"], trial.randomised["arm"], horizon=36)
    cells = compared("os", trial.randomised, times, month=36) | followed("os", trial)
    for arm in ARMS:
        cells |= interval(f"os.rmst.{arm}", found.means.loc[arm])
    return cells | interval(f"os.rmst.difference.{OTHER}", found.differences.loc[PAIR])


def as_registered(trial):
    times = overall_survival(trial.randomised)
    times = pd.DataFrame({"time": times["time"].clip(upper=36), "event": times["event"] & (times["time"] <= 36)})
    return compared("os-36", trial.randomised, times) | followed("os-36", trial)


def progression_free(trial):
    return compared("pfs", trial.randomised, progression_free_survival(trial.randomised))


def at_three_years(trial):
    times = overall_survival(trial.randomised)
    curves = kaplan_meier(times["time"], times["event"], trial.randomised["arm"])
    apart, cells = curves.difference_at(36).loc[PAIR], {}
    for arm in ARMS:
        cells |= interval(f"survival-36.{arm}", curves.survival_at(36).loc[arm], "survival")
    key = f"survival-36.difference.{OTHER}"
    return cells | interval(key, apart, "difference") | {f"{key}.p": apart["p"]}


def medians(trial):
    times, cells = overall_survival(trial.randomised), {}
    given = times["time"], times["event"], trial.randomised["arm"]
    for arm in ARMS:
        cells |= interval(f"os-median.{arm}", kaplan_meier(*given).to_frame().loc[arm], "median")
        cells |= interval(f"os-median.follow-up.{arm}", follow_up(*given).to_frame().loc[arm], "median")
    return cells


def deteriorated(trial, id, **more):
    """Patients with a baseline score, their times, and how these ended."""
    definition = replace(QL, **more)
    times = deterioration.time_to(trial.scores(C30), trial.randomised, definition)
    who = times[["subject"]].merge(trial.randomised, on="subject")
    cells = {f"{id}.excluded": len(trial.randomised) - len(who)}
    for cause in ("worsening", "death", "last form", "no follow-up form"):
        cells |= by_arm(f"{id}.cause.{cause.replace(' ', '-')}", who, times["cause"] == cause)
    return who, times, cells


def worse_or_dead(trial, id, **more):
    who, times, cells = deteriorated(trial, id, **more)
    return cells | compared(id, who, times)


def competing_risks(trial):
    id = "ttd-competing"
    who, times, cells = deteriorated(trial, id, death="competing")
    time, first = times["time"], times["cause"].where(times["event"] | times["competing"])
    strata = strata_of(who, first.notna())
    found = competing.cumulative_incidence(time, first, who["arm"])
    for cause in ("worsening", "death"):
        for arm in ARMS:
            for month in months_shown(float(time.max()))[1:]:
                cells[f"{id}.incidence.{cause}.{arm}.{month:g}"] = found.at(month).loc[(arm, cause), "incidence"]
        test = competing.gray(time, first, who["arm"], of=cause, strata=strata)
        key = f"{id}.{cause}"
        cells |= {f"{key}.gray.{OTHER}.chi_square": test.chi_square, f"{key}.gray.{OTHER}.p": test.p}
        hazard = competing.cause_specific(time, first, arm_of(who), of=cause, strata=strata).terms.loc[OTHER]
        sub = competing.fine_gray(time, first, arm_of(who), of=cause).terms.loc[OTHER]
        cells |= interval(f"{key}.cause-specific.{OTHER}.hr", hazard, "hr")
        cells |= interval(f"{key}.fine-gray.{OTHER}.shr", sub, "shr")
        cells |= {f"{key}.cause-specific.{OTHER}.p": hazard["p"], f"{key}.fine-gray.{OTHER}.p": sub["p"]}
    return cells


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


def by_score(trial, id, estimate):
    found = estimate(*forms_and_subjects(trial), score="QL", adjust=[OTHER], strata=["stratum"])
    cells = {f"{id}.QL.n": found.model.n, f"{id}.QL.events": found.model.events}
    for term in ("QL", OTHER):
        cells |= interval(f"{id}.QL.{term}.hr", found.model.terms.loc[term], "hr")
    return cells | {f"{id}.QL.excluded": sum(found.excluded.values())}


def by_baseline(trial):
    return by_score(trial, "baseline-ql", prognosis.at_baseline)


def by_last_score(trial):
    return by_score(trial, "changing-ql", prognosis.as_it_changes)


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
    id, cells = "q-twist-36", {"q-twist-36.replicates": found.replicates}
    for state in ("toxicity", "without symptoms", "after progression", "alive"):
        slug = state.replace(" ", "-")
        cells |= interval(f"{id}.{slug}.difference.{OTHER}", found.differences.loc[(PAIR, state)])
        for arm in ARMS:
            cells |= interval(f"{id}.{slug}.{arm}", found.states.loc[(arm, state)])
    for (_, toxic, progressed), row in found.sweep.iterrows():
        cells |= interval(f"{id}.sweep.{toxic:g}.{progressed:g}.{OTHER}", row)
    return cells


def factors(trial):
    who, times, scores = trial.randomised, overall_survival(trial.randomised), trial.scores(C30)
    base = scores[scores["baseline"]].set_index("subject")
    known = trial.covariates.set_index("subject")
    columns = arm_of(who)
    for name in STRATA:
        for level in trial.plan.strata[name].levels[1:]:
            columns[f"{name}.{level}"] = (who[name] == level) * 1.0
    columns["age"] = who["subject"].map(known["age"]).astype(float)
    columns["ecog.1"] = (who["subject"].map(known["ecog"]) == "1") * 1.0
    columns = columns.assign(QL=who["subject"].map(base["QL"]) / 10, PF=who["subject"].map(base["PF"]) / 10)
    model, cells = cox(times["time"], times["event"], columns), {}
    for term, row in model.terms.iterrows():
        cells |= interval(f"prognostic.{term}.hr", row, "hr")
    return cells | {"prognostic.n": model.n, "prognostic.events": model.events, "prognostic.excluded": model.excluded}


def within_groups(trial):
    who, times, cells = trial.randomised, overall_survival(trial.randomised), {}
    known = trial.covariates.set_index("subject")
    age = who["subject"].map(known["age"]).astype(float)
    halves = np.where(age <= age.median(), "up-to-the-median", "above-the-median")
    cells["predictive.age.median"] = age.median()
    groups = {name: who[name].astype(object) for name in STRATA}
    groups |= {"age": pd.Series(halves), "ecog": who["subject"].map(known["ecog"]).astype(object)}
    for name, values in groups.items():
        levels = sorted(set(values))
        for level in levels:
            mine, key = (values == level).to_numpy(bool), f"predictive.{name}.{level}.{OTHER}"
            row = cox(times["time"][mine], times["event"][mine], arm_of(who)[mine]).terms.loc[OTHER]
            cells |= {f"{key}.n": mine.sum(), f"{key}.events": times["event"][mine].sum()}
            cells |= interval(f"{key}.hr", row, "hr")
        small = arm_of(who).assign(second=(values == levels[1]) * 1.0)
        large = small.assign(both=small["second"] * small[OTHER])
        gain = [cox(times["time"], times["event"], each).loglik for each in (small, large)]
        cells[f"predictive.{name}.interaction.p"] = stats.chi2.sf(2 * (gain[1] - gain[0]), 1)
    return cells


HANDS = {
    "os": overall,
    "os-36": as_registered,
    "survival-36": at_three_years,
    "os-median": medians,
    "pfs": progression_free,
    "ttd-composite": lambda trial: worse_or_dead(trial, "ttd-composite"),
    "ttd-competing": competing_risks,
    "ttd-definitive": lambda trial: worse_or_dead(trial, "ttd-definitive", kind="definitive"),
    "baseline-ql": by_baseline,
    "changing-ql": by_last_score,
    "q-twist-36": states_of_health,
    "prognostic": factors,
    "predictive": within_groups,
}
