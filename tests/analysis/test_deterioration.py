"""Time to first worsening of ten points, or death, from randomisation."""

import pandas as pd

from analysis.deterioration import DAYS_A_MONTH, Definition, time_to

QL = Definition("QL", "Global health", 10, higher_is_better=True)


def score(day, value, *, baseline=False, subject="P1"):
    """A form answered so many days after randomisation."""
    on = pd.Timestamp("2027-01-01") + pd.Timedelta(days=day)
    return {"subject": subject, "baseline": baseline, "answered_on": on, "QL": value}


def ending(*scores, died=None, definition=QL):
    """(day, event, cause) of one patient; died: days after randomisation."""
    start = pd.Timestamp("2027-01-01")
    died_on = pd.NaT if died is None else start + pd.Timedelta(days=died)
    subjects = pd.DataFrame({"subject": ["P1"], "randomised_on": [start], "died_on": [died_on]})
    row = time_to(pd.DataFrame(scores), subjects, definition).iloc[0]
    return round(row["time"] * DAYS_A_MONTH, 6), bool(row["event"]), row["cause"]


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


def test_a_definition_reads_as_one_sentence():
    assert str(QL).startswith(
        "Time from randomisation to the first form whose Global health (QL) is at least 10 points lower than at "
        "baseline, or to death from any cause, whichever is first;"
    )
    assert str(QL).count(".") == 1
