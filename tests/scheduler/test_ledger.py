"""The ledger is the shadow of the plan, and never touches what was sent."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

import scheduler
from scheduler import ledger
from scheduler.applying import apply_all
from scheduler.changes import Changes
from scheduler.instants import NaiveInstant
from scheduler.messages import Status
from tests.scheduler.house import DUE, EARLY, RANDOMISED, Patients, Pen, Wire, ladder, schedule, step, utc, visit


def test_what_is_planned_is_written_once(patients: Patients) -> None:
    changes = patients.enrol("A", EARLY)

    assert changes.added == ("A/M1/invite/sms/1", "A/M1/reminder/sms/1")
    assert not patients.replan(EARLY, "A")
    assert patients.events("A") == ["planned"]


def test_a_corrected_date_moves_what_is_unsent_and_leaves_what_was_sent(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    scheduler.tick(patients.engine, DUE, Pen(patients), Wire())

    patients.anchors["A"] = {"randomisation": RANDOMISED + timedelta(days=2)}
    changes = patients.replan(DUE + timedelta(hours=1), "A")

    assert [move.key for move in changes.moved] == ["A/M1/reminder/sms/1"]
    assert changes.moved[0].now - changes.moved[0].was == timedelta(days=2)
    assert not changes.added
    assert patients.states("A") == {"invite/1": "accepted", "reminder/1": "planned"}


def test_a_date_corrected_by_a_month_sends_a_second_copy(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    scheduler.tick(patients.engine, DUE, Pen(patients), Wire())

    patients.anchors["A"] = {"randomisation": date(2027, 4, 1)}
    changes = patients.replan(DUE + timedelta(hours=1), "A")
    scheduler.tick(patients.engine, utc("2027-05-01 08:00"), Pen(patients), Wire())

    assert changes.added == ("A/M1/invite/sms/2",)
    assert patients.states("A") == {"invite/1": "accepted", "invite/2": "accepted", "reminder/1": "planned"}


def test_a_resent_invitation_is_not_superseded_by_a_reminder_of_the_old_date(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    for day in (DUE, DUE + timedelta(days=3)):
        scheduler.tick(patients.engine, day, Pen(patients), Wire())

    patients.anchors["A"] = {"randomisation": date(2027, 4, 1)}
    patients.replan(DUE + timedelta(days=4), "A")
    done = scheduler.tick(patients.engine, utc("2027-05-01 08:00"), Pen(patients), Wire())

    assert (done.accepted, done.superseded) == (1, 0)


@pytest.mark.parametrize(
    "status",
    [
        Status(completed=frozenset({"M1"})),
        Status(channels=frozenset()),
        Status(ended_on=date(2027, 3, 20), ended_reported_at=utc("2027-03-21 09:00")),
    ],
    ids=["answered", "stopped", "died"],
)
def test_what_is_no_longer_wanted_is_cancelled(patients: Patients, status: Status) -> None:
    patients.enrol("A", EARLY)

    patients.status["A"] = status
    changes = patients.replan(utc("2027-03-21 09:00"), "A")

    assert len(changes.dropped) == 2
    assert set(patients.states("A").values()) == {"cancelled"}
    assert not patients.replan(utc("2027-03-21 09:00"), "A")


def test_who_comes_back_is_sent_what_lies_ahead_and_nothing_historic(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    patients.status["A"] = Status(channels=frozenset())
    patients.replan(EARLY, "A")

    del patients.status["A"]
    after_the_invitation = DUE + timedelta(hours=49)
    changes = patients.replan(after_the_invitation, "A")

    assert changes.added == ("A/M1/reminder/sms/1",)
    assert patients.states("A") == {"invite/1": "cancelled", "reminder/1": "planned"}


def test_a_patient_who_comes_late_gets_no_rows_of_the_past(patients: Patients) -> None:
    patients.enrol("A", DUE + timedelta(days=30))

    assert patients.states("A") == {}


def test_a_text_that_cannot_be_sent_is_listed(engine: Engine) -> None:
    """Quiet hours push it past its window (calendar oracle, S19)."""
    late = {"visit": {"M1": visit(1, closes_after=0)}, "ladder": ladder(step("invite", 0, "20:30"))}
    patients = Patients(engine, schedule(**late, texts={"sv": {"invite": "{link}"}}))

    changes = patients.enrol("A", EARLY)

    assert not changes.added
    assert patients.states("A") == {"invite/1": "not_sendable"}


def test_history_tells_what_left_and_what_is_leaving(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    seen = []

    class Looks(Pen):
        def write(self, messages, now):  # type: ignore[no-untyped-def]
            with patients.engine.begin() as connection:
                seen.append(ledger.history(connection, "A"))
            return super().write(messages, now)

    scheduler.tick(patients.engine, DUE, Looks(patients), Wire())
    with patients.engine.begin() as connection:
        seen.append(ledger.history(connection, "A"))

    assert [[(sent.key, sent.at, sent.leaving) for sent in look] for look in seen] == [
        [("A/M1/invite/sms/1", DUE, True)],
        [("A/M1/invite/sms/1", DUE, False)],
    ]


def test_a_patient_is_replanned_in_as_many_statements_as_any_other(patients: Patients) -> None:
    """One visit or nine: apply looks once, and writes each kind of difference at once."""
    counts = []
    for visits in (1, 9):
        codes = {f"M{n}": visit(n, instruments=[f"form-{n}"]) for n in range(1, visits + 1)}
        trial = Patients(patients.engine, schedule(visit=codes), {f"P{visits}": {"randomisation": RANDOMISED}})
        statements: list[str] = []
        listen = lambda *told, kept=statements: kept.append(told[2])  # noqa: E731
        event.listen(patients.engine, "before_cursor_execute", listen)
        trial.replan(EARLY)
        event.remove(patients.engine, "before_cursor_execute", listen)
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_health_names_the_oldest_overdue_text_and_what_needs_a_person(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    with patients.engine.begin() as connection:
        assert ledger.health(connection, DUE - timedelta(minutes=1)).oldest_due_at is None
        assert ledger.health(connection, DUE + timedelta(minutes=1)).oldest_due_at == DUE
        assert set(ledger.health(connection, DUE).counts.values()) == {0}


def test_an_instant_without_a_zone_is_refused(patients: Patients) -> None:
    with pytest.raises(NaiveInstant, match="zone"):
        patients.enrol("A", EARLY.replace(tzinfo=None))


# ---- a reminder that she asked for ----


def asked(patients: Patients, later_on: date, now: datetime, **changes: Any) -> dict[str, str]:
    patients.status["A"] = Status(later_on=later_on, **changes)
    patients.replan(now, "A")
    return patients.states("A")


def test_a_reminder_that_was_asked_for_goes_once_on_its_day_between_those_of_the_ladder(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    scheduler.tick(patients.engine, DUE, Pen(patients), Wire())
    day = timedelta(days=1)

    states = asked(patients, date(2027, 4, 2), DUE)
    assert states == {"invite/1": "accepted", "on-request/1": "planned", "reminder/1": "planned"}
    assert scheduler.tick(patients.engine, DUE + day, Pen(patients), Wire()).accepted == 1
    asked(patients, date(2027, 4, 3), DUE + day)  # she asks again: it was one further reminder
    assert scheduler.tick(patients.engine, DUE + 2 * day, Pen(patients), Wire()).claimed == 0
    assert scheduler.tick(patients.engine, DUE + 3 * day, Pen(patients), Wire()).accepted == 1
    assert set(patients.states("A").values()) == {"accepted"}


def test_a_reminder_asked_for_on_a_day_of_the_ladder_is_one_text(patients: Patients) -> None:
    patients.enrol("A", EARLY)
    scheduler.tick(patients.engine, DUE, Pen(patients), Wire())
    asked(patients, date(2027, 4, 4), DUE)
    wire = Wire()

    for minute in range(3):
        scheduler.tick(patients.engine, DUE + timedelta(days=3, minutes=minute), Pen(patients), wire)

    assert len(wire.took) == 1


def test_a_reminder_asked_for_after_the_window_or_after_a_stop_is_not_planned(patients: Patients) -> None:
    patients.enrol("A", EARLY)

    assert "on-request/1" not in asked(patients, date(2027, 4, 16), DUE)
    assert "on-request/1" not in asked(patients, date(2027, 4, 2), DUE, channels=frozenset())


def write_together(patients: Patients, now: datetime, *subjects: str) -> tuple[dict[str, Changes], int]:
    """What changed, and how many statements wrote it."""
    sent: list[str] = []
    with patients.engine.begin() as connection:
        plans = [patients.plan(connection, subject, now) for subject in subjects]
        event.listen(connection, "before_cursor_execute", lambda *call: sent.append(call[2]))
        return apply_all(connection, plans, now), len(sent)


def test_many_patients_are_written_as_each_alone_and_in_as_many_statements_as_one(patients: Patients) -> None:
    """Some texts moved, some fell away, some came anew."""
    days = [date(2027, 3, 1), date(2027, 3, 8), date(2027, 4, 15), date(2027, 4, 16)]
    for of in ("alone", "together"):
        for n, on in enumerate(days):
            patients.enrol(f"{of}-{n}", EARLY, on)
            patients.anchors[f"{of}-{n}"] = {"randomisation": on + timedelta(days=7)}
        patients.status[f"{of}-1"] = Status(channels=frozenset())
    everybody = [f"together-{n}" for n in range(4)]

    alone = [patients.replan(EARLY, f"alone-{n}") for n in range(4)]
    together, statements = write_together(patients, EARLY, *everybody)

    assert [_nameless(together[subject]) for subject in everybody] == [_nameless(changes) for changes in alone]
    assert [patients.states(subject) for subject in everybody] == [patients.states(f"alone-{n}") for n in range(4)]
    for subject in everybody:
        patients.anchors[subject] = {"randomisation": date(2027, 5, 1)}
    _, of_one = write_together(patients, EARLY, "together-0")
    _, of_two = write_together(patients, EARLY, "together-2", "together-3")
    assert of_two == of_one <= statements


def _nameless(changes: Changes) -> str:
    return repr(changes).replace("alone", "together")
