"""A patient gets one text a day, however many of her visits are due on it."""

import scheduler
from scheduler import ledger
from tests.scheduler.house import DAY, DUE, EARLY, HOUR, MINUTE, RANDOMISED, Patients, Pen, Wire, schedule, visit


def test_two_visits_due_on_one_day_give_one_text(patients: Patients) -> None:
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", closes_after=9, instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED}
    patients.replan(EARLY, "A")
    wire = Wire()

    for minute in range(3):
        scheduler.tick(patients.engine, DUE + minute * MINUTE, Pen(patients), wire)

    with patients.engine.begin() as connection:
        left = [sent.key for sent in ledger.history(connection, "A")]
    assert left == ["A/S1/invite/sms/1"]  # the visit that closes first
    assert len(wire.took) == 1


def test_two_late_texts_of_one_patient_give_one_on_that_day(patients: Patients) -> None:
    """Not planned for one day, but due on one after a day of downtime."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED + DAY}
    patients.replan(EARLY, "A")
    wire = Wire()

    for minute in range(3):
        scheduler.tick(patients.engine, DUE + DAY + minute * MINUTE, Pen(patients), wire)

    assert len(wire.took) == 1


def test_a_text_that_left_late_takes_the_day_of_another(patients: Patients) -> None:
    """Known from the ledger itself, before any plan is made again; other patients' texts leave as they should."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED + DAY}
    patients.replan(EARLY, "A")
    patients.enrol("B", EARLY, RANDOMISED + DAY)

    assert scheduler.tick(patients.engine, DUE + DAY - HOUR, Pen(patients), Wire()).accepted == 1
    done = scheduler.tick(patients.engine, DUE + DAY, Pen(patients), Wire())

    assert (done.accepted, done.superseded) == (1, 1)


def test_a_text_that_shared_the_day_of_another_does_not_follow_on_the_next(patients: Patients) -> None:
    """Two visits due on one day: planned anew the day after, the second is still no text of its own."""
    visits = {"M1": visit(1), "S1": visit(1, anchor="surgery", closes_after=9, instruments=["other"])}
    patients.schedule = schedule(anchors={"randomisation": "R", "surgery": "S"}, visit=visits)
    patients.anchors["A"] = {"randomisation": RANDOMISED, "surgery": RANDOMISED}
    patients.replan(EARLY, "A")
    wire = Wire()
    scheduler.tick(patients.engine, DUE, Pen(patients), wire)

    for hours in (14, 24, 40):
        assert not patients.replan(DUE + hours * HOUR, "A")
        scheduler.tick(patients.engine, DUE + hours * HOUR, Pen(patients), wire)

    assert len(wire.took) == 1
