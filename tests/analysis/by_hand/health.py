"""Every number on quality of life, its missing answers, and adverse events, from the estimators alone."""

import numpy as np
import pandas as pd

from analysis import deterioration, imputation, joint, mmrm, while_alive
from analysis.deterioration import DAYS_A_MONTH
from analysis.estimands import overall_survival
from analysis.responding import odds_ratios
from tests.analysis.by_hand.cells import ARMS, C30, OTHER, PAIR, STRATA, arm_of, by_arm, interval, shares
from tests.analysis.by_hand.lives import QL, forms_and_subjects


def changes(trial, code, until=np.inf):
    """A row per patient and later visit with both scores; visits with two of each arm, in the order of time."""
    scores = trial.scores(C30)
    base = scores[scores["baseline"]].set_index("subject")[code]
    rows = scores[~scores["baseline"] & (scores["month"] <= until)].assign(base=lambda t: t["subject"].map(base))
    rows = rows.assign(chg=rows[code] - rows["base"]).dropna(subset=["chg", "arm"])
    counts = rows.groupby(["visit", "arm"], observed=True).size().unstack(fill_value=0)
    visits = [each for each in trial.plan.months if each in counts.index and (counts.loc[each] >= 2).all()]
    rows = rows[rows["visit"].isin(visits)].merge(trial.subjects[["subject", *STRATA]], on="subject")
    rows = rows.astype({"arm": object, **dict.fromkeys(STRATA, object)})
    rows["visit"], rows["arm"] = pd.Categorical(rows["visit"], visits), pd.Categorical(rows["arm"], ARMS)
    return rows


def repeated(trial, code):
    formula = "chg ~ base * visit + arm * visit + er + metastases"
    return mmrm.fit(formula, changes(trial, code), subject="subject", visit="visit")


def by_visit(trial, id, *codes):
    """Means and differences at every visit, the p-value of the planned one, and what they rest on."""
    cells, scores = {}, trial.scores(C30)
    for code in codes:
        model, key = repeated(trial, code), f"{id}.{code}"
        means, apart = model.ls_means("arm", by="visit"), model.contrasts("arm", by="visit")
        for visit in model.covariance.index:
            for arm in ARMS:
                cells |= interval(f"{key}.{visit}.mean.{arm}", means[means["arm"] == arm].loc[visit])
            cells |= interval(f"{key}.{visit}.difference.{OTHER}", apart.loc[visit])
        cells[f"{key}.M12.difference.{OTHER}.p"] = apart.loc["M12", "p"]
        cells |= {f"{key}.subjects": model.subjects, f"{key}.rows": model.rows, f"{key}.loglik": model.loglik}
        started = scores.loc[scores["baseline"] & scores[code].notna(), "subject"]
        year = scores[(scores["visit"] == "M12") & scores[code].notna()]
        cells |= by_arm(f"{key}.both", year, year["subject"].isin(started))
    return cells


def over_two_years(trial):
    model, cells = repeated(trial, "QL"), {}
    months = {visit: trial.plan.months[visit] for visit in model.covariance.index if trial.plan.months[visit] <= 24}
    at = np.array(list(months.values()))
    # a visit stands for the time half way to its neighbours, the first from 0 on
    share = np.array([(after - before) / 2 for before, after in zip([0, *at[:-1]], [*at[1:], at[-1]], strict=True)])
    weights = {"time": dict(zip(months, share / at[-1], strict=True)), "equal": dict.fromkeys(months, 1 / len(months))}
    for name, each in weights.items():
        row = model.averaged("arm", by="visit", weights=each).loc[PAIR]
        cells |= {**interval(f"ql-overall.QL.{name}.{OTHER}", row), f"ql-overall.QL.{name}.{OTHER}.p": row["p"]}
    return cells


def among_the_living(trial):
    who = trial.randomised.assign(**overall_survival(trial.randomised)).rename(columns={"event": "died"})
    scores = trial.scores(C30)
    forms = scores.loc[scores["subject"].isin(who["subject"]), ["subject", "visit", "QL"]]
    visits = {code: month for code, month in trial.plan.months.items() if code != "BL" and month <= 24}
    found = while_alive.estimate(forms, who.astype({"arm": object}), score="QL", visits=visits, threshold=50)
    id = "ql-alive.QL"
    cells = {f"{id}.n": found.n, f"{id}.deaths": found.deaths, f"{id}.cut": found.cut}
    cells[f"{id}.largest-weight"] = found.largest_weight
    tables = {"mean among the living": found.means, "alive": found.alive}
    tables |= {"alive and well": found.alive_and_well, "composite": found.composite}
    for name, table in tables.items():
        key = f"{id}.{name.replace(' ', '-')}"
        for visit in visits:
            cells |= interval(f"{key}.{visit}.difference.{OTHER}", found.differences.loc[(name, visit, PAIR)])
            for arm in ARMS:
                cells |= interval(f"{key}.{visit}.{arm}", table.loc[(visit, arm)])
    return cells


def responders(trial):
    who, scores, cells = trial.randomised, trial.scores(C30), {}
    found = deterioration.responders(scores, who, QL, visit="M12", by_day=round(12 * DAYS_A_MONTH))
    response, base = found["response"], scores[scores["baseline"]].set_index("subject")["QL"]
    for word in ("worsened", "stable", "improved", "unknown"):
        counts = by_arm(f"responders-12.QL.{word}", who, response == word)
        cells |= counts | shares(counts, who)
    scored = scores.loc[(scores["visit"] == "M12") & scores["QL"].notna(), "subject"]
    cells |= by_arm("responders-12.QL.dead", who, (response == "worsened") & ~who["subject"].isin(scored))
    worse = (response == "worsened").astype("boolean").mask(response == "unknown")
    row = odds_ratios(worse, arm_of(who).assign(base=who["subject"].map(base))).terms.loc[OTHER]
    key = f"responders-12.QL.{OTHER}"
    return cells | interval(f"{key}.odds_ratio", row, "odds_ratio") | {f"{key}.p": row["p"]}


def together(trial):
    forms, subjects = forms_and_subjects(trial)
    subjects["arm"] = pd.Categorical(subjects["arm"], ARMS)
    ends = forms["subject"].map(subjects.set_index("subject")["time"])
    kept = forms[(forms["month"] <= ends) & forms["QL"].notna()].drop_duplicates(["subject", "month"])
    names = {"subject": "subject", "month": "month", "time": "time", "event": "died"}
    model = joint.fit("QL ~ month * arm", kept[["subject", "month", "QL"]], subjects, **names, hazard="arm + stratum")
    months, id = [month for month in trial.plan.months.values() if 0 < month <= 36], "joint-ql.QL"
    means, apart = model.means("arm", at=months), model.differences("arm", at=months)
    cells = {f"{id}.subjects": model.subjects, f"{id}.forms": model.forms, f"{id}.events": model.events}
    cells |= {f"{id}.loglik": model.loglik, f"{id}.late": forms["QL"].notna().sum() - len(kept)}
    for month in months:
        cells |= interval(f"{id}.difference.{month:g}.{OTHER}", apart.loc[(month, PAIR)])
        for arm in ARMS:
            cells |= interval(f"{id}.mean.{month:g}.{arm}", means.loc[(month, arm)])
    for term in (f"arm[T.{OTHER}]", "association"):
        row = model.hazard.loc[term]
        cells |= {**interval(f"{id}.hazard.{term}", row, "hr"), f"{id}.hazard.{term}.p": row["p"]}
    return cells


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
    deltas = trial.plan.analysis.estimand["missing-12"].deltas
    found = imputation.estimate(grid, outcome="chg", reference=ARMS[0], covariates=["base"], deltas=deltas)
    id = "missing-12.QL"
    cells = {f"{id}.excluded": (~who["subject"].isin(base.index)).sum()}
    for strategy in imputation.STRATEGIES:
        row, key = found.differences.loc[(strategy, "M12", PAIR)], f"{id}.{strategy.replace(' ', '-')}.{OTHER}"
        cells |= {**interval(key, row), f"{key}.p": row["p"]}
    for (to_reference, to_other), row in found.tipping.xs(("M12", PAIR), level=("visit", "arms")).iterrows():
        cells[f"{id}.tipping.{OTHER}.{to_reference:g}.{to_other:g}"] = row["estimate"]
    cells[f"{id}.tipping.{OTHER}"] = found.tipping_points().loc[("M12", PAIR), "points"]
    for arm in ARMS:
        for kind in ("observed", "imputed", "dead"):
            cells[f"{id}.{kind}.{arm}"] = found.counts.loc[("M12", arm), kind]
    return cells


def events(trial):
    rows = trial.adverse_events.merge(trial.randomised[["subject", "arm"]], on="subject")
    masks = {"any": rows["grade"] > 0, "severe": rows["grade"] >= 3, "fatal": rows["grade"] >= 5}
    masks["serious"] = rows["serious"]
    for term in set(rows["term"]):
        mine = rows["term"] == term
        masks |= {f"term.{term}": mine, f"term.{term}.severe": mine & (rows["grade"] >= 3)}
    cells = by_arm("safety.n", trial.randomised, trial.randomised["arm"].notna())
    for name, mask in masks.items():
        had = rows[mask.astype(bool)].drop_duplicates("subject")
        counts = by_arm(f"safety.{name}", had, had["arm"].notna())
        cells |= counts | shares(counts, trial.randomised)
    return cells


HANDS = {
    "ql-12": lambda trial: by_visit(trial, "ql-12", "QL"),
    "function-12": lambda trial: by_visit(trial, "function-12", "PF", "FA"),
    "ql-alive": among_the_living,
    "ql-overall": over_two_years,
    "responders-12": responders,
    "joint-ql": together,
    "missing-12": imputed,
    "safety": events,
}
