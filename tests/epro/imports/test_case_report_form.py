"""Covariates, outcomes and adverse events: the case report form is the source, and what differs is listed."""

from datetime import date

import pytest

from epro.acts import signing
from epro.acts.imports.files import CHANGED, NEW, UNCHANGED
from epro.store import facts
from epro.store.crf import covariates_of, events_of
from epro.store.database import reading, writing
from epro.store.models import AdverseEvent, Audit, CovariateValue, PatientEvent
from epro.store.people import facts_of
from scheduler.tables import message
from tests.epro.conftest import NOW, NURSE
from tests.epro.imports.conftest import csv_of, places, said
from tests.web.conftest import rows_of

EVENT = {
    "subject": "UME-001",
    "term": "Nausea",
    "grade": "2",
    "serious": "no",
    "started_on": "2027-02-10",
    "ended_on": "",
}


@pytest.fixture
def patients(desk):
    """Two who are randomised."""
    for subject in ("UME-001", "GBG-001"):
        desk.enrol(subject, consented_on=date(2027, 2, 1), randomised_on=date(2027, 2, 8), arm="surgery")


pytestmark = pytest.mark.usefixtures("patients")


def days(house, subject="UME-001"):
    with reading(house.engine) as connection:
        return {kind: event.on for kind, event in facts_of(connection, [subject])[subject].events.items()}


def covariates(house):
    with reading(house.engine) as connection:
        return covariates_of(connection)


def events(house):
    with reading(house.engine) as connection:
        return [(e.term, e.grade, e.serious, e.ended_on, e.taken_back) for e in events_of(connection).values()]


# ---- covariates


def test_covariates_are_kept_as_numbers_and_words_whatever_the_comma(office, house):
    rows = [{"subject": "UME-001", "age": "57,5", "ecog": 1}, {"subject": "GBG-001", "age": "61", "ecog": ""}]

    brought = office.send(csv_of(rows, ";"), "covariates")

    assert [row.becomes for row in brought.rows] == [NEW, NEW]
    assert covariates(house) == {"UME-001": {"age": "57.5", "ecog": "1"}, "GBG-001": {"age": "61"}}


def test_a_corrected_covariate_takes_the_place_of_the_first_which_stays_in_the_record(office, house):
    office.send([{"subject": "UME-001", "age": "57"}], "covariates")

    brought = office.send([{"subject": "UME-001", "age": "58"}], "covariates")

    assert [(row.becomes, *map(str, row.notes)) for row in brought.rows] == [(CHANGED, "age: was 57, is now 58.")]
    assert covariates(house)["UME-001"] == {"age": "58"}
    assert [value for _, value in office.all(CovariateValue.id, CovariateValue.value)] == ["57", "58"]


def test_an_empty_cell_says_nothing(office, house):
    office.send([{"subject": "UME-001", "age": "57"}], "covariates")

    assert office.send([{"subject": "UME-001", "age": ""}], "covariates").rows[0].becomes == UNCHANGED
    assert covariates(house)["UME-001"] == {"age": "57"}


def test_a_covariate_that_the_trial_does_not_name_and_a_stranger_are_refused(office):
    assert "no column is called weight" in said(office.send([{"subject": "UME-001", "weight": "70"}], "covariates"))
    brought = office.send([{"subject": "UME-777", "age": "fifty"}], "covariates")
    assert places(brought) == ["2, subject", "2, age"]


# ---- outcomes


def test_outcomes_are_recorded_and_a_death_stops_every_text(office, house):
    row = {"subject": "UME-001", "surgery_on": "2027-02-12", "progression_on": "2027-02-20", "died_on": "2027-02-27"}

    brought = office.send([row, {"subject": "GBG-001", "last_alive_on": "2027-02-28"}], "outcomes")

    assert [row.becomes for row in brought.rows] == [CHANGED, CHANGED]
    assert days(house)[facts.DEATH] == date(2027, 2, 27)
    assert days(house, "GBG-001")[facts.SEEN_ALIVE] == date(2027, 2, 28)
    planned = office.all(message.c.key, message.c.state)
    assert not [key for key, state in planned if key.startswith("UME-001") and state == "planned"]


def test_a_day_that_differs_is_corrected_listed_and_kept_in_the_record(office, house):
    office.send([{"subject": "UME-001", "progression_on": "2027-02-20"}], "outcomes")

    brought = office.send([{"subject": "UME-001", "progression_on": "2027-02-21"}], "outcomes")

    assert str(brought.rows[0].notes[0]) == "progression_on: was 2027-02-20, is now 2027-02-21."
    assert days(house)[facts.PROGRESSION] == date(2027, 2, 21)
    assert office.count(PatientEvent, PatientEvent.kind == facts.PROGRESSION) == 2


def test_what_the_desk_recorded_and_the_file_does_not_have_stays_and_is_listed(office, house):
    office.send([{"subject": "UME-001", "died_on": "2027-02-27"}], "outcomes")

    brought = office.send([{"subject": "UME-001", "died_on": "", "progression_on": ""}], "outcomes")

    assert str(brought.rows[0].notes[0]) == "died_on: 2027-02-27 is recorded here and not in the file; it stays."
    assert (brought.kept, days(house)[facts.DEATH]) == (False, date(2027, 2, 27))


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ({"died_on": "2027-02-07"}, "died_on", "before randomisation"),
        ({"died_on": "2027-01-07"}, "died_on", "before consent"),
        ({"died_on": "2027-03-02"}, "died_on", "in the future"),
        ({"died_on": "2027-02-20", "progression_on": "2027-02-21"}, "progression_on", "after death"),
        ({"died_on": "2027-02-20", "last_alive_on": "2027-02-21"}, "last_alive_on", "after death"),
    ],
)
def test_days_that_contradict_each_other_are_refused(office, row, column, words):
    brought = office.send([{"subject": "UME-001", **row}], "outcomes")

    assert places(brought) == [f"2, {column}"]
    assert words in said(brought)


def test_a_death_before_what_was_recorded_is_refused(office):
    office.send([{"subject": "UME-001", "progression_on": "2027-02-20"}], "outcomes")

    assert places(office.send([{"subject": "UME-001", "died_on": "2027-02-19"}], "outcomes")) == ["2, died_on"]


# ---- adverse events


def test_adverse_events_are_kept_and_a_later_word_takes_the_place_of_the_earlier(office, house):
    assert office.send([EVENT, {**EVENT, "term": "Pain"}], "adverse_events").count(NEW) == 2

    later = {**EVENT, "term": "nausea", "grade": "3", "serious": "yes", "ended_on": "2027-02-14"}
    brought = office.send([later], "adverse_events")

    assert [str(note) for note in brought.rows[0].notes] == [
        "grade: was 2, is now 3.",
        "serious: was no, is now yes.",
        "ended_on: was –, is now 2027-02-14.",
    ]
    assert [str(note) for note in brought.notes] == [
        "UME-001, Pain of 2027-02-10 stands in an earlier file and not in this one; it stays."
    ]
    assert ("nausea", 3, True, date(2027, 2, 14), False) in events(house)
    assert office.count(AdverseEvent) == 3


def test_an_event_that_never_was_is_taken_back_by_a_row_that_says_so(office, house):
    office.send([EVENT], "adverse_events")
    office.send([{**EVENT, "taken_back": "yes"}], "adverse_events")

    assert events(house) == [("Nausea", 2, False, None, True)]


def test_the_same_files_again_change_nothing(office, house):
    files = [
        ([EVENT], "adverse_events"),
        ([{"subject": "UME-001", "died_on": "2027-02-27"}], "outcomes"),
        ([{"subject": "UME-001", "age": "57,50"}], "covariates"),
    ]
    for rows, kind in files:
        assert office.send(csv_of(rows, ";"), kind).kept
    before = rows_of(house)

    for rows, kind in files:
        assert [row.becomes for row in office.send(csv_of(rows, ";"), kind).rows] == [UNCHANGED]
    assert rows_of(house) == before


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"grade": "6"}, "grade"),
        ({"grade": "0"}, "grade"),
        ({"grade": "2,5"}, "grade"),
        ({"grade": ""}, "grade"),
        ({"term": ""}, "term"),
        ({"serious": "perhaps"}, "serious"),
        ({"started_on": "2027-01-31"}, "started_on"),
        ({"started_on": "2027-03-02"}, "started_on"),
        ({"ended_on": "2027-02-09"}, "ended_on"),
        ({"subject": "UME-777"}, "subject"),
        ({"term": "pain of 19121212-1212"}, "term"),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_column(office, change, column):
    assert places(office.send(csv_of([{**EVENT, **change}], ";"), "adverse_events")) == [f"2, {column}"]


def test_the_same_event_twice_names_both_rows(office):
    brought = office.send([EVENT, {**EVENT, "term": "NAUSEA", "grade": "3"}], "adverse_events")

    assert said(brought) == "row 3, term: Row 2 is this event already: the same patient, term and first day."


# ---- locked data


@pytest.mark.requirement("trust-28")
def test_no_file_changes_locked_data_and_the_trail_says_who_tried(office, house):
    with writing(house.engine) as connection:
        signer = signing.Signer("Some One", NURSE)
        signing.lock(connection, house.protocol, "UME", cut_on=date(2027, 2, 20), signer=signer, now=NOW)

    tried = [
        ([EVENT], "adverse_events"),
        ([{"subject": "UME-001", "age": "57"}], "covariates"),
        ([{"subject": "UME-001", "progression_on": "2027-02-20"}], "outcomes"),
    ]
    for rows, kind in tried:
        assert "locked up to 2027-02-20" in said(office.send(rows, kind))

    assert (office.count(AdverseEvent), office.count(CovariateValue)) == (0, 0)
    assert office.count(Audit, Audit.action.startswith("refused, data are locked")) == 3
    assert office.send([{**EVENT, "started_on": "2027-02-21"}], "adverse_events").kept
