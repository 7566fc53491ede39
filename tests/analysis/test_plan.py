"""The analysis plan: data that say how each question is answered, and why one cannot be."""

import copy

import pytest
from pydantic import ValidationError

from analysis.plan import AnalysisPlan, TrialPlan, as_toml
from analysis.planned import METHODS, NEEDED, Estimand


def estimand(**changes):
    whole = {
        "title": "Global health",
        "objective": "superiority",
        "variable": "change",
        "summary": "difference",
        "method": "mmrm",
        "scales": ["QL"],
        "visit": "M12",
        "threshold": 10,
        "intercurrent": {"death": "hypothetical"},
        **changes,
    }
    return Estimand.model_validate(whole)


def refusal(**changes):
    with pytest.raises(ValidationError) as caught:
        estimand(**changes)
    return str(caught.value)


def test_the_shipped_plan_answers_with_every_method_but_measured_utilities(breclim):
    methods = {each["method"] for each in breclim["analysis"]["estimand"].values()}

    assert set(METHODS) - methods == {"quality-adjusted survival"}


def test_every_method_says_what_it_needs():
    assert set(NEEDED) == set(METHODS)


def test_the_shipped_plan_names_one_primary_estimand(breclim):
    plan = AnalysisPlan.model_validate(breclim["analysis"])

    assert [id for id, each in plan.estimand.items() if each.primary] == ["os"]


def test_a_method_without_what_it_needs_is_refused_by_name():
    assert "the method 'mmrm' needs visit" in refusal(visit=None)


def test_a_method_takes_nothing_that_it_would_ignore():
    assert "takes no deltas" in refusal(deltas=[-5])


@pytest.mark.parametrize("changes", [{"primary": True}, {"test_order": 1}])
def test_what_is_descriptive_is_not_tested(changes):
    assert "a descriptive objective is not tested" in refusal(objective="descriptive", **changes)


def test_a_strategy_for_death_is_answered_by_the_method_that_can():
    said = refusal(intercurrent={"death": "while alive"})

    assert "answers the strategy 'hypothetical' for death" in said


@pytest.mark.parametrize("orders", [(1, 1), (1, 3), (2, 3)])
def test_the_hierarchy_of_tests_has_no_gaps_or_doubles(breclim, orders):
    analysis = copy.deepcopy(breclim["analysis"])
    for each in analysis["estimand"].values():
        each.pop("test_order", None)
    for id, order in zip(("os", "pfs"), orders, strict=True):
        analysis["estimand"][id]["test_order"] = order

    with pytest.raises(ValidationError, match="without gaps or doubles"):
        AnalysisPlan.model_validate(analysis)


def test_only_one_estimand_is_primary(breclim):
    analysis = copy.deepcopy(breclim["analysis"])
    analysis["estimand"]["pfs"]["primary"] = True

    with pytest.raises(ValidationError, match="only one estimand is primary, and os, pfs say so"):
        AnalysisPlan.model_validate(analysis)


def test_a_plan_written_down_is_the_plan_that_is_read(breclim):
    import tomllib

    plan = TrialPlan.model_validate(breclim)

    assert TrialPlan.model_validate(tomllib.loads(as_toml(plan))) == plan
