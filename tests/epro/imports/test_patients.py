"""A file of patients: all of it, or nothing and every reason; and the traps that such files hold."""

from datetime import date, datetime

import pytest
from sqlalchemy import select

from epro.acts.answers import Said
from epro.acts.entering import PAPER, Entered, enter
from epro.acts.imports.files import NEW, UNCHANGED
from epro.queries.timeline import timeline
from epro.store import facts
from epro.store.database import reading, writing
from epro.store.models import Allocation, Audit, Contact, ImportedFile, Patient, PatientEvent
from epro.store.people import facts_of
from scheduler.tables import message
from tests.epro.conftest import NOW
from tests.epro.imports.conftest import OFFICE, csv_of, patient, places, said, xlsx_of
from tests.web.conftest import rows_of

TWO = [patient(), patient(subject="GBG-001", site="GBG", phone="070-174 06 06", randomised_on="", arm="")]


def day_of(house, kind="randomisation", subject="UME-001"):
    with reading(house.engine) as connection:
        event = facts_of(connection, [subject])[subject].events.get(kind)
    return event and event.on


def arm_of(office):
    return office.all(Allocation.subject, Allocation.arm)


def number_of(house):
    with reading(house.engine) as connection:
        return house.cipher.decrypt(connection.execute(select(Contact.address)).scalar_one())


# ---- all or nothing


def test_every_row_becomes_a_patient_with_her_plan(office):
    brought = office.send(TWO)

    assert [(row.number, row.subject, row.becomes) for row in brought.rows] == [
        (2, "UME-001", NEW),
        (3, "GBG-001", NEW),
    ]
    assert (brought.kept, office.count(Patient), arm_of(office)) == (True, 2, [("UME-001", "surgery")])
    assert office.count(message) > 0


def test_a_try_says_the_same_and_changes_nothing(office, house):
    before = rows_of(house)
    tried = office.send(TWO, dry=True)

    assert rows_of(house) == before
    assert not tried.kept
    assert tried.rows == office.send(TWO).rows


@pytest.mark.requirement("abuse-24")
def test_one_bad_row_of_two_hundred_imports_nothing_and_names_row_column_and_reason(office, house):
    rows = [patient(subject=f"UME-{n:03d}", phone="") for n in range(1, 201)]
    rows[120] = {**rows[120], "er": "perhaps"}
    before = rows_of(house)

    brought = office.send(rows)

    assert said(brought) == "row 122, er: 'perhaps' is not one of pos, neg."
    assert rows_of(house) == before


def test_ten_things_wrong_are_all_said_at_once(office):
    rows = [
        patient(site="XXX"),
        patient(subject="UME-002", language="svenska"),
        patient(subject="UME-003", consented_on="1/2 2027"),
        patient(subject="UME-004", consented_on="2027-02-30"),
        patient(subject="UME-005", eligible="perhaps"),
        patient(subject="UME-006", metastases=""),
        patient(subject="UME-007", phone="08-123 456 78"),
        patient(subject="UME-008", randomised_on="2028-01-01"),
        patient(subject="UME-009", arm="C"),
        patient(subject="nobody"),
    ]

    wanted = ["2, site", "3, language", "4, consented_on", "5, consented_on", "6, eligible", "7, metastases"]
    assert places(office.send(rows)) == [*wanted, "8, phone", "9, randomised_on", "10, arm", "11, subject"]


def test_a_missing_an_unknown_and_a_doubled_column_are_named(office):
    row = {**patient(), "Subject_ID": "UME-001", "name": "x"}
    del row["language"]

    text = said(office.send([row]))

    for words in ("the column language is missing", "no column is called name", "the column subject stands twice"):
        assert words in text


def test_a_dated_copy_is_kept_without_contact_data(office):
    office.send(TWO)

    ((kind, rows, at, cells),) = office.all(
        ImportedFile.kind, ImportedFile.rows, ImportedFile.imported_at, ImportedFile.cells
    )
    assert (kind, rows, at) == ("patients", 2, NOW)
    assert "UME-001,UME,sv,2027-02-01" in cells
    assert "174" not in cells


# ---- the same file again


def test_the_same_file_again_changes_nothing_and_says_unchanged(office, house):
    office.send(TWO)
    before = rows_of(house)

    again = office.send(TWO)

    assert [row.becomes for row in again.rows] == [UNCHANGED, UNCHANGED]
    assert (again.kept, rows_of(house)) == (False, before)


def test_an_arm_that_comes_later_is_taken_and_the_patient_randomised(office, house):
    office.send([patient(randomised_on="", arm="")])
    assert office.send([patient()]).rows[0].becomes == "changed"

    assert (day_of(house), arm_of(office)) == (date(2027, 2, 8), [("UME-001", "surgery")])


def test_the_arm_of_a_patient_randomised_at_her_site_comes_from_the_trial_office(office, desk, house):
    desk.enrol(consented_on=date(2027, 2, 1), randomised_on=date(2027, 2, 8))
    assert arm_of(office) == []

    office.send([patient()])

    assert arm_of(office) == [("UME-001", "surgery")]


def test_another_arm_is_refused_never_overwritten_and_put_into_the_trail(office):
    office.send([patient()])

    brought = office.send([patient(arm="control")])

    assert places(brought) == ["2, arm"]
    assert "surgery" not in said(brought)
    assert arm_of(office) == [("UME-001", "surgery")]
    entries = [(action, subject) for action, subject in office.all(Audit.action, Audit.subject) if "refused" in action]
    assert entries == [("import refused: another arm than was recorded", "UME-001")]


@pytest.mark.parametrize(
    ("column", "value"),
    [("site", "GBG"), ("er", "neg"), ("consented_on", "2027-02-02"), ("randomised_on", "2027-02-09")],
)
def test_what_her_place_in_the_trial_rests_on_is_never_overwritten(office, column, value):
    office.send([patient()])

    assert places(office.send([patient(**{column: value})])) == [f"2, {column}"]


def test_the_number_that_the_desk_has_now_stays_and_the_difference_is_told(office, house):
    office.send([patient()])

    brought = office.send([patient(phone="070-174 06 99", language="en")])

    assert [note.column for note in brought.rows[0].notes] == ["language", "phone"]
    assert number_of(house) == "+46701740605"


# ---- subject ids


def test_a_subject_twice_in_a_file_names_both_rows(office):
    assert said(office.send([patient(), patient()])) == "row 3, subject: Row 2 is this patient's already."


@pytest.mark.parametrize("written", ["ume-001", " UME-001 ", "UME-001\u00a0"])
def test_small_letters_and_spaces_around_an_id_do_not_matter(office, written):
    assert office.send([patient(subject=written)]).rows[0].subject == "UME-001"
    assert places(office.send([patient(subject=written), patient()])) == ["3, subject"]


def test_zeros_that_excel_took_from_an_id_are_given_back(another_trial, house):
    trial = house.protocol.trial.model_copy(update={"subject_pattern": "[0-9]{4}"})

    assert another_trial(trial=trial).send(xlsx_of([patient(subject=17)])).rows[0].subject == "0017"


def test_an_unknown_site_and_a_missing_stratum_are_named(office):
    assert places(office.send([patient(site="Umeå", er="")])) == ["2, site", "2, er"]


def test_the_trial_office_may_write_arms_in_its_own_way(another_trial):
    office = another_trial(imports={"arm": {"A": "surgery", "B": "control"}})

    office.send([patient(arm="B")])

    assert arm_of(office) == [("UME-001", "control")]


# ---- days and hours


def test_a_day_typed_into_a_workbook_is_read(office, house):
    office.send(xlsx_of([patient(consented_on=date(2026, 10, 1), randomised_on=datetime(2026, 10, 24, 9, 30))]))  # noqa: DTZ001

    assert day_of(house) == date(2026, 10, 24)


def test_nobody_was_randomised_in_the_future(office):
    assert "lies in the future" in said(office.send([patient(randomised_on="2027-03-02")]))


def test_a_stratum_that_excel_made_a_day_of_is_told_so(office):
    for written in ("2027-04-02", "02-apr"):
        text = said(office.send([patient(metastases=written)]))
        assert (
            text == "row 2, metastases: Excel has made a day of this. Format the column as text and write it again: "
            "one of 1, 2-4."
        )


# ---- numbers


def test_a_number_that_a_workbook_holds_as_a_number_gets_its_zero_back(office, house):
    office.send(xlsx_of([patient(phone=701740605)]))

    assert number_of(house) == "+46701740605"


def test_a_year_of_birth_has_four_digits(another_trial, house):
    trial = house.protocol.trial.model_copy(update={"identity_step": "birth_year"})
    office = another_trial(trial=trial)

    assert places(office.send([{**patient(), "birth_year": "58"}])) == ["2, second_step"]
    assert office.send([{**patient(), "birth_year": "1958"}]).wrongs == ()


@pytest.mark.requirement("trust-40")
def test_a_personal_identity_number_is_refused_in_whichever_column(office):
    columns = ["subject", "zone", "email"]
    brought = office.send([patient(**{column: "19121212-1212"}) for column in columns])

    assert {"2, subject", "3, zone", "4, email"} <= set(places(brought))
    assert "1212-1212" not in said(brought)


# ---- how Excel saves a file


def test_a_file_of_swedish_excel_is_read(another_trial):
    office = another_trial(imports={"site": {"Umeå": "UME"}})
    rows = [patient(site="Umeå"), patient(subject="UME-002", phone="")]

    assert office.send(csv_of(rows, ";", "cp1252")).wrongs == ()
    assert office.count(Patient) == 2


def test_a_workbook_gives_the_same_patients_as_its_csv_file(office, house):
    as_csv = office.send(TWO, dry=True)

    assert office.send(xlsx_of(TWO), dry=True).rows == as_csv.rows


def test_swedish_excel_says_sant_and_falskt(office, house):
    office.send([patient(eligible="SANT", texts_allowed="FALSKT")])

    assert day_of(house, facts.TEXTS_REFUSED) == date(2027, 2, 1)


# ---- patients randomised long ago

LONG_AGO = {"consented_on": "2025-01-01", "randomised_on": "2025-01-08"}


def test_visits_over_before_she_came_are_before_the_system_never_missed_never_texted(office, house):
    brought = office.send([patient(**LONG_AGO)])

    with reading(house.engine) as connection:
        shown = timeline(connection, house.protocol, "UME-001", NOW)
    states = {visit.code: visit.state for visit in shown.visits}
    over = [code for code, state in states.items() if state == "before_system"]
    assert over == ["BL", "M1.5", "M3", "M6", "M9", "M12", "M18", "M24"]
    assert "missed" not in states.values()
    assert str(brought.rows[0].notes[0]).startswith("8 visits were over")
    texts = office.all(message.c.key, message.c.state)
    assert {key.split("/")[1] for key, state in texts if state == "planned"}.isdisjoint(over)


def test_the_paper_of_a_visit_before_the_system_can_be_entered_years_later(office, house):
    office.send([patient(**LONG_AGO)])
    said = [Said("qlq-c30", f"q{n}", 2, key=f"paper-{n}") for n in range(1, 31)]

    with writing(house.engine) as connection:
        entered = Entered(PAPER, said, on=date(2025, 4, 10))
        enter(connection, house.protocol, "UME-001", "M3", entered, by=OFFICE, now=NOW)

    with reading(house.engine) as connection:
        shown = timeline(connection, house.protocol, "UME-001", NOW)
    (visit,) = [visit for visit in shown.visits if visit.code == "M3"]
    assert (visit.state, visit.mode, visit.completed_at.date()) == ("completed", "paper", date(2025, 4, 10))


def test_who_died_before_she_was_imported_is_never_texted(office):
    office.send([patient(**LONG_AGO, died_on="2026-05-05", progression_on="2026-01-02")])

    assert {state for _, state in office.all(message.c.key, message.c.state)} <= {"cancelled", "expired", "superseded"}
    assert office.count(PatientEvent, PatientEvent.kind == facts.DEATH) == 1


@pytest.mark.parametrize("column", ["died_on", "surgery_on", "progression_on"])
def test_nothing_happened_before_randomisation(office, column):
    brought = office.send([patient(**LONG_AGO, **{column: "2025-01-07"})])

    assert places(brought) == [f"2, {column}"]
    assert "before randomisation" in said(brought)
