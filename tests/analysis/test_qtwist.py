"""Time in states of health, and quality-adjusted survival."""

import numpy as np
import pandas as pd
import pytest

from analysis import qtwist, survival
from analysis.results import BadInput, CannotEstimate

HORIZON = 24.0
FEW = {"replicates": 50}


def trial(patients=200, seed=1, censored=True):
    rng = np.random.default_rng(seed)
    arm = np.where(np.arange(patients) % 2, "surgery", "control")
    progression = rng.exponential(12, patients) * np.where(arm == "surgery", 1.5, 1)
    death = progression + rng.exponential(10, patients)
    left = rng.uniform(25, 60, patients) if censored else np.full(patients, 1e6)
    frame = pd.DataFrame({"subject": np.arange(patients), "arm": arm, "time": np.minimum(death, left)})
    frame = frame.assign(died=death <= left, progression_time=np.minimum(progression, left))
    return frame.assign(progressed=progression <= left)


def toxicity(patients=200):
    """Two stretches that overlap, and one that may lie after progression."""
    who = np.arange(patients)
    stretches = [(1.0, 2.0), (1.5, 3.0), (20.0, 21.0)]
    return pd.concat([pd.DataFrame({"subject": who, "start": a, "stop": b}) for a, b in stretches])


def test_without_censoring_every_state_is_the_plain_mean_of_its_time():
    data = trial(censored=False)
    free, alive = data["progression_time"].clip(upper=HORIZON), data["time"].clip(upper=HORIZON)
    toxic = sum((free.clip(upper=stop) - start).clip(lower=0) for start, stop in ((1, 3), (20, 21)))

    states = qtwist.estimate(data, toxicity=toxicity(), horizon=HORIZON, **FEW).states["estimate"]

    for arm in ("control", "surgery"):
        mine = data["arm"] == arm
        wanted = [toxic[mine].mean(), (free - toxic)[mine].mean(), (alive - free)[mine].mean(), alive[mine].mean()]
        assert states.loc[arm].tolist() == pytest.approx(wanted)


def test_time_alive_and_its_error_are_the_restricted_mean_and_irwins():
    data = trial()
    means = survival.rmst(data["time"], data["died"], data["arm"], horizon=HORIZON)

    found = qtwist.estimate(data, toxicity=toxicity(), horizon=HORIZON, replicates=1000)

    alive = found.states.xs("alive", level="state")
    assert alive["estimate"].tolist() == pytest.approx(means.means["estimate"].tolist())
    assert alive["se"].tolist() == pytest.approx(means.means["se"].tolist(), rel=0.15)
    apart = found.differences.loc[("surgery - control", "alive")]
    assert [apart["lower"], apart["upper"]] == pytest.approx(means.differences.iloc[0][["lower", "upper"]], abs=0.5)
    assert (found.n, found.events) == (200, int(data["died"].sum()))
    assert "200" in str(found)


def test_with_all_utilities_1_it_is_time_alive_and_with_0_time_without_symptoms():
    found = qtwist.estimate(trial(), toxicity=toxicity(), horizon=HORIZON, utilities=(0, 1), **FEW)

    apart, sweep = found.differences.loc["surgery - control", "estimate"], found.sweep.loc["surgery - control"]
    assert sweep.loc[(1, 1), "estimate"] == pytest.approx(apart["alive"])
    assert sweep.loc[(0, 0), "estimate"] == pytest.approx(apart["without symptoms"])


def test_censoring_before_the_horizon_does_not_shorten_time_with_toxicity():
    """Everybody has toxicity from month 1 to 11 and nobody progresses before; half are lost at random until then."""
    rng = np.random.default_rng(5)
    n = 4000
    left = np.where(rng.random(n) < 0.5, rng.uniform(2, 11, n), 30)
    data = pd.DataFrame({"subject": np.arange(n), "arm": np.tile(["A", "B"], n // 2), "time": left, "died": left == 30})
    data = data.assign(progression_time=left, progressed=data["died"])
    whole = pd.DataFrame({"subject": np.arange(n), "start": 1.0, "stop": np.minimum(11.0, left)})

    states = qtwist.estimate(data, toxicity=whole, horizon=12, replicates=2).states

    assert states.xs("toxicity", level="state")["estimate"].tolist() == pytest.approx([10, 10], rel=0.02)


def test_the_same_seed_gives_the_same_intervals():
    one, same, other = (qtwist.estimate(trial(), horizon=HORIZON, seed=seed, **FEW).sweep for seed in (1, 1, 2))

    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("change", "more", "error", "said"),
    [
        (lambda d: d, {"horizon": 0}, BadInput, "horizon is 0"),
        (lambda d: d, {"utilities": (0, 2)}, BadInput, "utilities are"),
        (lambda d: d, {"horizon": 100}, survival.HorizonBeyondFollowUp, "before the horizon 100"),
        (lambda d: d.assign(progression_time=d["time"] + 1), {}, BadInput, "progression comes after the end"),
        (lambda d: d.assign(arm="A"), {}, CannotEstimate, "one arm"),
        (lambda d: d.drop(columns="died"), {}, BadInput, "subjects has no column died"),
        (lambda d: d, {"toxicity": toxicity(300)}, BadInput, "no such subject"),
        (lambda d: d, {"toxicity": toxicity().assign(stop=0.5)}, BadInput, "no stretch of time"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, more, error, said):
    with pytest.raises(error, match=said):
        qtwist.estimate(change(trial()), **{"horizon": HORIZON, **FEW, **more})


def forms(data, utility):
    months = np.array([0.0, 6, 12, 18, 24])
    rows = data.loc[np.repeat(data.index, len(months)), ["subject", "time"]].assign(month=np.tile(months, len(data)))
    return rows[rows["month"] < rows["time"]].assign(utility=utility).reset_index(drop=True)


def test_a_life_in_full_health_is_worth_its_length_and_at_half_half_of_it():
    data = trial()
    length = survival.rmst(data["time"], data["died"], data["arm"], horizon=HORIZON).means["estimate"]

    for utility in (1.0, 0.5):
        found = qtwist.quality_adjusted(forms(data, utility), data, utility="utility", horizon=HORIZON, **FEW)
        assert found.means["estimate"].tolist() == pytest.approx((utility * length).tolist())


def test_between_visits_the_mean_utility_runs_straight():
    """Nobody dies until 24, and utility falls from 1 to 0: half the time counts."""
    data = trial(20).assign(time=24.0, died=True)
    falling = forms(data.assign(time=25.0), 1.0).assign(utility=lambda rows: 1 - rows["month"] / 24)

    found = qtwist.quality_adjusted(falling, data, utility="utility", horizon=24, **FEW)

    assert found.means["estimate"].tolist() == pytest.approx([12, 12])


def test_forms_after_the_end_and_without_a_utility_are_counted():
    data = trial(40)
    given = pd.concat([forms(data, 0.8), pd.DataFrame({"subject": [0], "month": [70.0], "utility": [0.8]})])
    given.iloc[0, given.columns.get_loc("utility")] = np.nan

    found = qtwist.quality_adjusted(given, data, utility="utility", horizon=HORIZON, **FEW)

    assert found.excluded == {"no utility": 1, "after the end": 1}
    with pytest.raises(BadInput, match="utility is above 1"):
        qtwist.quality_adjusted(forms(data, 80), data, utility="utility", horizon=HORIZON, **FEW)
