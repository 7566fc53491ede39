"""Time to deterioration: the definition by default, and each thing that a definition may say otherwise."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.deterioration import DAYS_A_MONTH, Definition, responders, time_to
from analysis.results import BadInput

QL = Definition("QL", "Global health", 10, higher_is_better=True)


def score(day, value, *, baseline=False, subject="P1"):
    """A form answered so many days after randomisation."""
    on = pd.Timestamp("2027-01-01") + pd.Timedelta(days=day)
    return {"subject": subject, "baseline": baseline, "answered_on": on, "QL": value}


def row_of(*scores, died=None, progressed=None, definition=QL):
    """The row of one patient; died, progressed: days after randomisation."""
    start = pd.Timestamp("2027-01-01")
    days = {"died_on": died, "progression_on": progressed}
    dates = {name: [pd.NaT if day is None else start + pd.Timedelta(days=day)] for name, day in days.items()}
    subjects = pd.DataFrame({"subject": ["P1"], "randomised_on": [start], **dates})
    return time_to(pd.DataFrame(scores), subjects, definition).iloc[0]


def ending(*scores, **more):
    """(day, event, cause) of one patient."""
    row = row_of(*scores, **more)
    return round(row["time"] * DAYS_A_MONTH, 6), bool(row["event"]), row["cause"]


def by(**changes):
    return replace(QL, **changes)


BASELINE = score(-3, 70, baseline=True)


def test_the_first_fall_of_ten_points_or_more_from_baseline_is_the_event():
    assert ending(BASELINE, score(46, 65), score(90, 60), score(180, 20)) == (90, True, "worsening")


def test_a_fall_of_exactly_the_threshold_counts_in_spite_of_thirds():
    third = Definition("QL", "Global health", 50 / 3, higher_is_better=True)

    assert ending(score(-3, 200 / 3, baseline=True), score(46, 50), definition=third) == (46, True, "worsening")


def test_where_higher_is_worse_a_rise_is_the_event():
    fatigue = Definition("QL", "Fatigue", 10, higher_is_better=False)

    assert ending(BASELINE, score(46, 40), score(90, 80), definition=fatigue) == (90, True, "worsening")


def test_death_is_an_event_however_long_after_the_last_form():
    assert ending(BASELINE, score(46, 70), died=400) == (400, True, "death")


def test_whichever_is_first_is_the_cause():
    assert ending(BASELINE, score(46, 50), died=400) == (46, True, "worsening")


def test_without_either_the_clock_stops_at_the_last_form_with_a_score():
    assert ending(BASELINE, score(46, 70), score(90, 71), score(180, None)) == (90, False, "last form")


def test_without_a_form_after_baseline_it_stops_on_day_one_unless_the_patient_died():
    assert ending(BASELINE) == (1, False, "no follow-up form")
    assert ending(BASELINE, died=200) == (200, True, "death")


def test_a_form_answered_before_the_clock_starts_is_no_follow_up():
    assert ending(BASELINE, score(0, 10)) == (1, False, "no follow-up form")


def test_who_has_no_baseline_score_is_left_out_and_counted():
    subjects = pd.DataFrame({"subject": ["P1", "P2"], "randomised_on": pd.Timestamp("2027-01-01"), "died_on": pd.NaT})
    scores = pd.DataFrame([BASELINE, score(46, 20, subject="P2"), score(-1, None, baseline=True, subject="P2")])

    result = time_to(scores, subjects, QL)

    assert result["subject"].tolist() == ["P1"]
    assert result.attrs["excluded"] == {"no baseline score": 1}


def test_of_nobody_there_is_an_empty_table_with_the_columns_of_any_other():
    subjects = pd.DataFrame({"subject": ["P1"], "randomised_on": [pd.NaT], "died_on": [pd.NaT]})

    result = time_to(pd.DataFrame([BASELINE]), subjects, QL)

    assert result.empty
    assert result["subject"].dtype == subjects["subject"].dtype


def test_a_definition_reads_as_one_sentence():
    assert str(QL).startswith(
        "Time from randomisation to the first form whose Global health (QL) is at least 10 points lower than at "
        "baseline, or to death from any cause, whichever is first;"
    )
    assert str(QL).count(".") == 1


def test_a_confirmed_deterioration_is_still_there_at_the_next_form():
    confirmed = by(kind="confirmed")

    assert ending(BASELINE, score(46, 50), score(90, 70), score(180, 50), score(270, 40), definition=confirmed) == (
        180,
        True,
        "worsening",
    )
    assert ending(BASELINE, score(46, 70), score(90, 50), definition=confirmed) == (90, False, "last form")


@pytest.mark.parametrize(("kind", "day"), [("without recovery", 46), ("definitive", 180), ("until definitive", 200)])
def test_what_later_forms_must_not_do_depends_on_the_kind(kind, day):
    """From 70: never above 80 again after day 46; at most 60 from day 180 on; no rise of 10 after day 200."""
    forms = [BASELINE, score(46, 60), score(90, 70), score(180, 45), score(200, 56), score(270, 52)]

    assert ending(*forms, definition=by(kind=kind)) == (day, True, "worsening")


def test_later_falls_of_exactly_the_threshold_keep_a_deterioration_definitive():
    forms = [score(-3, 200 / 3, baseline=True), score(46, 50), score(90, 50)]

    assert ending(*forms, definition=by(kind="definitive", threshold=50 / 3)) == (46, True, "worsening")


def test_a_lasting_deterioration_that_is_seen_on_the_last_form_alone_is_flagged():
    assert row_of(BASELINE, score(46, 50), definition=by(kind="definitive"))["on_last_form"]
    assert not row_of(BASELINE, score(46, 50), score(90, 50), definition=by(kind="definitive"))["on_last_form"]
    assert not row_of(BASELINE, score(46, 50))["on_last_form"]


def test_the_reference_may_be_the_best_or_the_previous_score():
    forms = [BASELINE, score(46, 85), score(90, 76), score(180, 72), score(270, 61)]

    assert ending(*forms) == (270, False, "last form")
    assert ending(*forms, definition=by(reference="best")) == (180, True, "worsening")
    assert ending(*forms, definition=by(reference="previous")) == (270, True, "worsening")


def test_death_may_compete_or_be_ignored():
    competing = row_of(BASELINE, score(46, 70), died=400, definition=by(death="competing"))

    assert (competing["event"], competing["competing"], competing["cause"]) == (False, True, "death")
    assert ending(BASELINE, score(46, 70), died=400, definition=by(death="ignored")) == (46, False, "last form")
    assert ending(BASELINE, died=400, definition=by(death="ignored")) == (1, False, "no follow-up form")


def test_where_death_is_ignored_the_result_says_that_no_probability_follows():
    subjects = pd.DataFrame({"subject": ["P1"], "randomised_on": pd.Timestamp("2027-01-01"), "died_on": pd.NaT})

    ignored = time_to(pd.DataFrame([BASELINE]), subjects, by(death="ignored"))

    assert ignored.attrs["probabilities"] is False
    assert "hazards alone may be read" in ignored.attrs["definition"]
    assert time_to(pd.DataFrame([BASELINE]), subjects, QL).attrs["probabilities"] is True


def test_a_death_long_after_the_last_form_may_be_told_from_one_soon_after():
    near = by(within_days=100)

    assert ending(BASELINE, score(46, 70), died=140, definition=near) == (140, True, "death")
    assert ending(BASELINE, score(46, 70), died=400, definition=near) == (46, False, "last form")


def test_progression_may_be_an_event_or_compete():
    forms = [BASELINE, score(46, 70), score(180, 40)]

    assert ending(*forms, progressed=100) == (180, True, "worsening")
    assert ending(*forms, progressed=100, definition=by(progression="event")) == (100, True, "progression")
    assert ending(*forms, progressed=100, definition=by(progression="competing")) == (100, False, "progression")


def test_who_has_no_baseline_score_may_be_censored_at_zero_or_compared_with_her_first():
    forms = [score(46, 70), score(90, 60)]

    assert ending(*forms, definition=by(no_baseline="censored at 0")) == (0, False, "no baseline score")
    assert ending(*forms, definition=by(no_baseline="first score")) == (90, True, "worsening")


def test_the_clock_may_start_at_the_baseline_form():
    assert ending(BASELINE, score(46, 50), definition=by(clock="baseline form")) == (49, True, "worsening")


@pytest.mark.parametrize("kind", ["first", "confirmed", "definitive", "until definitive", "without recovery"])
@pytest.mark.parametrize("death", ["event", "competing", "ignored"])
@pytest.mark.parametrize("no_baseline", ["excluded", "censored at 0", "first score"])
def test_every_definition_is_one_sentence_of_its_own(kind, death, no_baseline):
    definition = by(kind=kind, death=death, no_baseline=no_baseline, within_days=90, clock="baseline form")

    assert str(definition).count(".") == 1
    assert str(definition) != str(by(kind=kind, death=death, no_baseline=no_baseline, reference="best"))


def test_a_definition_that_says_something_unknown_is_refused_with_the_choices():
    with pytest.raises(BadInput, match="Choose one of: event, competing, ignored"):
        by(death="maybe")


def test_scores_without_the_scale_are_refused_by_column():
    with pytest.raises(BadInput, match="scores has no column PF"):
        ending(BASELINE, definition=by(scale="PF"))


def test_responders_count_the_dead_as_worsened_and_the_silent_as_unknown():
    start = pd.Timestamp("2027-01-01")
    who = ["better", "same", "worse", "dead", "silent"]
    died_on = [pd.NaT, pd.NaT, pd.NaT, start + pd.Timedelta(days=200), pd.NaT]
    subjects = pd.DataFrame({"subject": who, "randomised_on": start, "died_on": died_on})
    later = zip(who, [80, 65, 60], strict=False)
    scores = [score(-3, 70, baseline=True, subject=each) | {"visit": "M0"} for each in who]
    scores += [score(365, value, subject=each) | {"visit": "M12"} for each, value in later]

    result = responders(pd.DataFrame(scores), subjects, QL, visit="M12", by_day=365).set_index("subject")["response"]

    assert result.tolist() == ["improved", "stable", "worsened", "worsened", "unknown"]
