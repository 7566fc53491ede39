"""How does somebody else check the headlines? An R script and its data compute them anew and print the differences."""

import json
from pathlib import Path

import pandas as pd

from analysis import deterioration
from analysis.numbers import Numbers
from analysis.planned import Estimand
from analysis.sections.deteriorating import definition_of
from analysis.sections.material import Material
from analysis.sections.repeated import changes
from analysis.trial import Trial

FOLDER, SCRIPT = "r-check", "check.R"
HEAD = """\
# Computes the headlines of the report anew with R, and prints how far each is from the report.
# Rscript check.R in this folder. Needs survival, mmrm and emmeans, cmprsk; what is not installed is skipped, and said.
reported <- read.csv("reported.csv", stringsAsFactors = FALSE)
largest <- 0
compare <- function(id, value, tolerance) {
  ours <- reported$value[reported$id == id]
  if (length(ours) == 0 || is.na(ours)) { cat(sprintf("%-50s not in the report\\n", id)); return(invisible()) }
  if (is.na(value)) { cat(sprintf("%-50s not estimable in R\\n", id)); return(invisible()) }
  off <- abs(value - ours) / max(abs(ours), 1e-8)
  if (off > tolerance) largest <<- max(largest, off)
  cat(sprintf("%-50s report %.8g  R %.8g  relative difference %.2g %s\\n", id, ours, value, off,
              if (off > tolerance) "DIFFERS" else ""))
}
have <- function(name) {
  there <- requireNamespace(name, quietly = TRUE)
  if (!there) cat(sprintf("%s is not installed: its headlines are not checked\\n", name))
  there
}
"""
TAIL = 'cat(if (largest > 0) "SOME HEADLINES DIFFER\\n" else "All headlines that could be checked agree.\\n")\n'
SURVIVAL = """
if (have("survival")) {{
  d <- read.csv("{id}.csv", stringsAsFactors = FALSE)
  d$arm <- factor(d$arm, levels = c({arms}))
  s <- survival::Surv(d$time, d$event)
  test <- survival::survdiff(s ~ arm + strata(stratum), data = d)
  compare("{id}.1.logrank.{arm}.chi_square", test$chisq, 1e-6)
  model <- survival::coxph(s ~ arm + strata(stratum), data = d, ties = "efron")
  compare("{id}.1.cox.{arm}.hr", exp(coef(model)[["arm{arm}"]]), 1e-5)
}}
"""
AT_A_MONTH = """
if (have("survival")) {{
  d <- read.csv("{id}.csv", stringsAsFactors = FALSE)
  for (arm in c({arms})) {{
    fit <- survival::survfit(survival::Surv(time, event) ~ 1, data = d[d$arm == arm, ])
    compare(paste0("{id}.", arm), summary(fit, times = {month}, extend = TRUE)$surv, 1e-8)
  }}
}}
"""
MEDIAN = """
if (have("survival")) {{
  d <- read.csv("{id}.csv", stringsAsFactors = FALSE)
  for (arm in c({arms})) {{
    fit <- survival::survfit(survival::Surv(time, event) ~ 1, data = d[d$arm == arm, ], conf.type = "log-log")
    compare(paste0("{id}.", arm), summary(fit)$table[["median"]], 1e-8)
  }}
}}
"""
MMRM = """
if (have("mmrm") && have("emmeans")) {{
  d <- read.csv("{id}.csv", stringsAsFactors = FALSE)
  d$visit <- factor(d$visit, levels = c({visits})); d$arm <- factor(d$arm, levels = c({arms}))
  d$subject <- factor(d$subject)
  fit <- mmrm::mmrm({formula} + us(visit | subject), data = d, method = "Satterthwaite")
  apart <- as.data.frame(emmeans::emmeans(fit, ~ arm | visit, weights = "equal"))
  here <- apart[apart$visit == "{visit}", ]
  compare("{id}.{scale}.{visit}.difference.{arm}",
          here$emmean[here$arm == "{arm}"] - here$emmean[here$arm == "{reference}"], 1e-3)
}}
"""
GRAY = """
if (have("cmprsk")) {{
  d <- read.csv("{id}.csv", stringsAsFactors = FALSE)
  test <- cmprsk::cuminc(d$time, d$cause, d$arm, strata = d$stratum, cencode = "")$Tests
  compare("{id}.worsening.gray.{arm}.chi_square", test["worsening", "stat"], 1e-5)
}}
"""
OF_SURVIVAL = {"cox": SURVIVAL, "survival at a month": AT_A_MONTH, "median survival": MEDIAN}


def write_r_check(trial: Trial, out: Path) -> Path:
    """Write r-check/ beside a written report: check.R, a CSV for each headline, and the numbers as reported.

    Returns the script. Headlines: every estimand of survival, of time to deterioration and of repeated measures.
    Raises OSError, FileNotFoundError without the report's numbers.
    """
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    numbers = json.loads((out / "numbers.json").read_text(encoding="utf-8"))["numbers"]
    rows = [(id, each["value"]) for id, each in numbers.items() if each["value"] is not None]
    pd.DataFrame(rows, columns=["id", "value"]).to_csv(folder / "reported.csv", index=False)
    material = Material(trial, trial.plan, Numbers())
    parts = [HEAD]
    for id, estimand in trial.plan.analysis.estimand.items():
        data, script = _headline(material, id, estimand)
        if script:
            data.to_csv(folder / f"{id}.csv", index=False, float_format="%.17g")
            parts.append(script)
    (folder / SCRIPT).write_text("".join([*parts, TAIL]), encoding="utf-8")
    return folder / SCRIPT


def _headline(material: Material, id: str, estimand: Estimand) -> tuple[pd.DataFrame, str]:
    """The data and the lines of one estimand; no lines where R is not asked."""
    arms = ", ".join(f'"{_inside(arm)}"' for arm in material.arms)
    words = {"id": id, "arms": arms, "arm": _inside(material.others[0]), "reference": _inside(material.reference)}
    if estimand.method in OF_SURVIVAL:
        data = _survival(material, material.randomised, material.times(estimand))
        return data, OF_SURVIVAL[estimand.method].format(**words, month=estimand.month)
    if estimand.method == "mmrm":
        return _repeated(material, estimand, words)
    if estimand.method == "time to deterioration":
        times = deterioration.time_to(
            material.scores, material.randomised, definition_of(material, estimand, estimand.scales[0])
        )
        who = times[["subject"]].merge(material.randomised, on="subject", how="left")
        if estimand.reading == "competing":
            return _competing(material, who, times), GRAY.format(**words)
        return _survival(material, who, times), SURVIVAL.format(**words)
    return pd.DataFrame(), ""


def _survival(material: Material, who: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """time, event (0 or 1), arm and stratum of these patients."""
    strata = material.strata(who, times["event"])
    data = times[["time"]].assign(event=times["event"].astype(int), arm=who["arm"].astype(object))
    return data.assign(stratum=strata if strata is not None else "all")


def _repeated(material: Material, estimand: Estimand, words: dict[str, str]) -> tuple[pd.DataFrame, str]:
    """Of the first scale."""
    code = estimand.scales[0]
    data, _ = changes(material, code)
    strata = [name for name in map(str, data) if name.startswith("stratum_") and data[name].nunique() > 1]
    formula = " + ".join(["chg ~ base * visit", "arm * visit", *strata])
    visits = ", ".join(f'"{_inside(visit)}"' for visit in data["visit"].cat.categories)
    return data, MMRM.format(**words, formula=formula, visits=visits, visit=_inside(estimand.visit or ""), scale=code)


def _inside(text: str) -> str:
    """A text as it stands between the quotes of an R string, whose escapes are JSON's."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _competing(material: Material, who: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """time, cause (empty = censored), arm and stratum."""
    first = times["cause"].where(times["event"] | times["competing"])
    strata = material.strata(who, first.notna())
    data = pd.DataFrame({"time": times["time"], "cause": first.fillna(""), "arm": who["arm"].astype(object)})
    return data.assign(stratum=strata if strata is not None else "all")
