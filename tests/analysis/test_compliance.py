"""Expected, received and both rates, by arm and visit."""

from types import SimpleNamespace

import pandas as pd
import pytest

from analysis import compliance


def trial(forms, *, randomised=2):
    """Patients P1, P2… in arm A; forms: (subject, state, expected, answers with a value) of one visit."""
    subjects = pd.DataFrame({"subject": [f"P{n + 1}" for n in range(randomised)], "arm": "A"})
    subjects["randomised_on"] = pd.Timestamp("2027-01-01")
    table = pd.DataFrame(forms, columns=["subject", "state", "expected", "n"]).assign(visit="M3", instrument="qlq-c30")
    answers = [
        {
            "subject": form.subject,
            "visit": "M3",
            "instrument": "qlq-c30",
            "item": f"q{item}",
            "value": 1,
            "state": "answered",
        }
        for form in table.itertuples()
        for item in range(form.n)
    ]
    columns = ["subject", "visit", "instrument", "item", "value", "state"]
    return SimpleNamespace(subjects=subjects, forms=table, answers=pd.DataFrame(answers, columns=columns))


def rates(*forms, randomised=2):
    return compliance.rates(trial(list(forms), randomised=randomised)).loc[("qlq-c30", "A", "M3")]


def test_received_means_at_least_one_answer_and_unfinished_are_counted_apart():
    row = rates(
        ("P1", "completed", True, 30), ("P2", "closed_unfinished", True, 1), ("P3", "missed", True, 0), randomised=4
    )

    assert (row["expected"], row["received"], row["complete"], row["unfinished"]) == (3, 2, 1, 1)
    assert row["received_per_expected"] == pytest.approx(2 / 3)
    assert row["received_per_randomised"] == pytest.approx(2 / 4)


def test_a_form_that_was_opened_but_never_answered_was_not_received():
    assert rates(("P1", "closed_unfinished", True, 0))["received"] == 0


@pytest.mark.parametrize("state", ["not_due", "open", "started"])
def test_a_form_that_can_still_be_answered_counts_nowhere(state):
    row = rates(("P1", state, True, 5), ("P2", "completed", True, 30))

    assert (row["expected"], row["received"]) == (1, 1)


def test_nothing_is_expected_of_the_dead_and_what_came_anyway_is_in_no_rate():
    row = rates(("P1", "excused", False, 0), ("P2", "completed", False, 30))

    assert (row["expected"], row["received"], row["unexpected"]) == (0, 0, 1)
    assert pd.isna(row["received_per_expected"])


def test_who_is_not_randomised_is_in_no_arm():
    one = trial([("P1", "completed", True, 30), ("P2", "completed", True, 30)])
    one.subjects.loc[1, ["randomised_on", "arm"]] = [pd.NaT, None]

    row = compliance.rates(one).loc[("qlq-c30", "A", "M3")]

    assert (row["randomised"], row["expected"]) == (1, 1)


def test_visits_and_arms_add_up_to_all_forms(written, tmp_path, sixty):
    trial = written(tmp_path, sixty)

    table = compliance.rates(trial)

    closed = trial.forms[trial.forms["state"].isin(compliance.CLOSED) & trial.forms["expected"]]
    assert table["expected"].sum() == len(closed)
    assert (table["received"] == table["complete"] + table["unfinished"]).all()
