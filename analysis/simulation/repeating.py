"""What would estimators find in each of many simulated trials?

Every trial has a seed of its own, spawned from one, and tasks are cut without asking how many there are to do them: the
results are the same to the last byte for one process, for two, and for a cluster.
"""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.random import SeedSequence

from analysis.results import BadInput
from analysis.simulation.course import course_of, enrolled
from analysis.simulation.kernel import Estimates, estimated
from analysis.simulation.published import DAYS_A_MONTH, Scenario
from analysis.simulation.simulated import SimulatedTrial, simulate

Found = TypeVar("Found")

TASK = 50  # trials: what a process is handed at once
EPOCH = date(2027, 1, 1)  # months alone count in survival, and any first day will do


def replicates(
    estimate: Callable[[SimulatedTrial], Found], *, trials: int, seed: int, jobs: int | None = None, **simulated: Any
) -> list[Found]:
    """What `estimate` makes of each of so many trials, in their order; simulated: arguments of `simulate` but seed.

    The first trials are the same however many follow. jobs: processes; None = one, or what joblib is set to around the
    call: `with joblib.parallel_config("dask"):` sends the tasks to the cluster of the present Dask client.
    """

    def task(seeds: Sequence[SeedSequence]) -> list[Found]:
        return [estimate(simulate(seed=each, **simulated)) for each in seeds]

    return list(chain.from_iterable(_in_tasks(task, trials, seed, jobs)))


def hazard_ratios(
    *,
    trials: int,
    seed: int,
    subjects: int = 200,
    accrual_months: float,
    follow_up_months: float,
    scenario: Scenario = "effect",
    jobs: int | None = None,
) -> pd.DataFrame:
    """Surgery's hazard ratio of death in each of so many trials: coef (log), se, deaths; NaN = not estimable.

    Cox's model in strata of receptor and number of metastases. follow_up_months: from the end of accrual, when vital
    status is looked up of everybody. Arguments else as `simulate` and `replicates`, whose trials these are, times not
    rounded to days. Power is the share of trials in which abs(coef / se) > 1.96.
    Raises BadInput for the scenario in which death follows from the score, which is not drawn here.
    """
    if scenario == "shared parameter":
        raise BadInput("hazard_ratios draws no scores, from which death follows in this scenario.\n  Use replicates.")

    def task(seeds: Sequence[SeedSequence]) -> Estimates:
        drawn = [_survival(each, subjects, accrual_months, follow_up_months, scenario) for each in seeds]
        time, event, surgery, stratum = (np.array(each) for each in zip(*drawn, strict=True))
        return estimated(time, event, surgery[:, :, None], stratum)

    found = _in_tasks(task, trials, seed, jobs)
    columns = {"coef": [each.coef[:, 0] for each in found], "se": [each.se[:, 0] for each in found]}
    columns["deaths"] = [each.events for each in found]
    return pd.DataFrame({name: np.concatenate(parts) for name, parts in columns.items()}).rename_axis("trial")


def _in_tasks(task: Callable[[Sequence[SeedSequence]], Any], trials: int, seed: int, jobs: int | None) -> Sequence[Any]:
    seeds = SeedSequence(seed).spawn(trials)
    tasks = [seeds[at : at + TASK] for at in range(0, trials, TASK)]
    return list(Parallel(n_jobs=jobs)(delayed(task)(each) for each in tasks))


def _survival(
    seed: SeedSequence, subjects: int, accrual_months: float, follow_up_months: float, scenario: Scenario
) -> tuple[Any, ...]:
    """Time in months, whether she died, whether she is to be operated on, and the stratum of each patient."""
    rng = np.random.default_rng(seed)
    patients = enrolled(rng, subjects, EPOCH, accrual_months)
    death = course_of(rng, patients, scenario).death
    began = (pd.to_datetime(patients["randomised_on"]) - pd.Timestamp(EPOCH)).dt.days / DAYS_A_MONTH
    followed = np.maximum(accrual_months + follow_up_months - began.to_numpy(), 0.0)
    stratum = 2 * (patients["er"] == "pos") + (patients["metastases"] == "1")
    surgery = (patients["arm"] == "surgery").to_numpy(float)
    return np.minimum(death, followed), death <= followed, surgery, stratum.to_numpy()
