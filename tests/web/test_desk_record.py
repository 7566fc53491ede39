"""The pages of the record: answers corrected, the trail read, signatures and locks, and who has looked."""

import csv
import io
import json
import re

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from epro.queries.trail import looks_at
from epro.queries.verification import verify
from epro.store.audit import entry
from epro.store.database import reading, writing
from epro.store.models import Access, Answer, Audit, Contact, DataLock, Signature
from epro.web.desk.looks import SHOWN
from questionnaires.cells import inert
from tests.epro.conftest import NOW, NURSE, Desk
from tests.queries.conftest import Course
from tests.web.conftest import rows_of
from tests.web.passkey import SoftPasskey
from tests.web.staffing import PASSWORD, Staff, code_of, with_authenticator

PAGE = "/desk/patients/UME-001"
ITEM = f"{PAGE}/visits/BL/qlq-c30/q12"
WHY = {"reason": "source", "words": "paper says otherwise", "originator": "paper"}


@pytest.fixture
def nurse(app, house):
    return Staff(app, house, sites=["UME"])


@pytest.fixture
def investigator(app, house):
    return Staff(app, house, role="investigator", sites=["UME"])


@pytest.fixture
def answered(house, desk):
    """A patient who answered item 12 with 2 and submitted her baseline."""
    desk.enrol()
    Course(house).answer("UME-001", "BL", NOW)


def versions(house):
    with reading(house.engine) as connection:
        rows = connection.execute(select(Answer).where(Answer.item == "q12").order_by(Answer.id)).all()
    return [(row.value, row.by, row.mode, row.reason) for row in rows]


def looks(house):
    with reading(house.engine) as connection:
        return connection.execute(select(Access).order_by(Access.id)).all()


def actions(house):
    with reading(house.engine) as connection:
        return list(connection.execute(select(Audit.action).order_by(Audit.chain, Audit.seq)).scalars())


@pytest.mark.requirement("trust-4")
def test_after_three_corrections_all_four_answers_are_listed_in_order(nurse, house, answered):
    for value in ("3", "1", "4"):
        assert nurse.post(ITEM, value=value, **WHY).status_code == 303

    kept = versions(house)
    assert [value for value, *_ in kept] == [2, 3, 1, 4]
    assert kept[0][1:] == ("patient", "tablet", None)
    assert kept[3][1:] == (nurse.email, "paper", "source: paper says otherwise")
    shown = nurse.open(ITEM).words
    places = [shown.index(f"{value} ", shown.index("What has been answered")) for value in (2, 3, 1, 4)]
    assert places[0] < places[3]
    assert [change.old for change in trail(nurse) if change.field == "q12"] == [None, "2", "3", "1"]


class Change(dict):
    __getattr__ = dict.__getitem__


def trail(staff, asked=""):
    return [Change(row) for row in json.loads(staff.client.get(f"{PAGE}/trail.json{asked}").text)]


@pytest.mark.requirement("trust-5")
@pytest.mark.parametrize("missing", ["reason", "words", "originator"])
def test_a_correction_without_its_reason_is_refused_and_keeps_nothing(nurse, house, answered, missing):
    response = nurse.post(ITEM, value="3", **{**WHY, missing: ""})

    assert response.status_code == 400
    assert versions(house) == [(2, "patient", "tablet", None)]


@pytest.mark.parametrize("value", ["", "9", "-1", "x", "1" * 30, "²"])
def test_a_correction_to_what_is_no_answer_is_refused(nurse, house, answered, value):
    assert nurse.post(ITEM, value=value, **WHY).status_code == 400
    assert len(versions(house)) == 1


def test_an_answer_can_be_corrected_to_a_blank(nurse, house, answered):
    nurse.post(ITEM, value="", blank="yes", **WHY)

    assert versions(house)[-1][0] is None


def test_a_form_that_is_open_is_the_patients_own(nurse, house, desk, browser, link):
    desk.enrol()
    browser.begin(link())
    browser.answer(1, 1)

    response = nurse.post(f"{PAGE}/visits/BL/qlq-c30/q1", value="3", **WHY)

    assert response.status_code == 400
    assert "still open" in response.text


@pytest.mark.requirement("trust-13")
@pytest.mark.parametrize(
    ("role", "status"), [("monitor", 403), ("analyst", 403), ("trial_office", 403), ("administrator", 403)]
)
def test_only_the_care_team_corrects(app, house, answered, role, status):
    assert Staff(app, house, role=role).post(ITEM, value="3", **WHY).status_code == status
    assert len(versions(house)) == 1


@pytest.mark.requirement("trust-20", "abuse-10")
def test_patients_of_another_site_have_no_trail_no_answers_and_no_signatures(app, house, answered):
    other = Staff(app, house, role="investigator", sites=["LUN"])

    for path in ("/trail", "/trail.csv", "/trail.json", "/looks", "/visits/BL", "/signatures"):
        assert other.client.get(PAGE + path).status_code == 404
    for path in ("/trail/review", "/signatures", "/visits/BL/qlq-c30/q12"):
        assert other.post(PAGE + path).status_code == 404
    assert other.post("/desk/signing/UME").status_code == 404
    assert [look for look in looks(house) if look.actor == other.email] == []


@pytest.mark.requirement("trust-6", "abuse-18")
def test_a_trail_read_back_from_csv_is_the_trail(nurse, answered):
    nurse.post(ITEM, value="3", **{**WHY, "words": "=1+1"})

    rows = list(csv.DictReader(io.StringIO(nurse.client.get(f"{PAGE}/trail.csv").text)))
    told = trail(nurse)

    assert len(rows) == len(told)
    for row, change in zip(rows, told, strict=True):
        assert row == {name: "" if value is None else str(inert(value)) for name, value in change.items()}


@pytest.mark.requirement("trust-6")
def test_the_trail_is_filtered_by_person_act_field_and_day(nurse, answered):
    nurse.post(ITEM, value="3", **WHY)

    assert {change.actor for change in trail(nurse, f"?actor={nurse.email}")} == {nurse.email}
    assert {change.action for change in trail(nurse, "?action=answer+corrected")} == {"answer corrected"}
    assert {change.field for change in trail(nurse, "?field=q12")} == {"q12"}
    assert trail(nurse, "?from=2027-03-02") == []
    assert trail(nurse, "?until=2027-02-28") == []
    assert len(trail(nurse, "?from=2027-03-01&until=2027-03-01")) == len(trail(nurse))


def test_a_trail_tells_no_arm_to_those_who_may_not_know_it(app, house, nurse, desk):
    desk.enrol(arm="surgery", randomised_on=NOW.date())
    monitor = Staff(app, house, role="monitor")

    told = [change.new for change in trail(monitor) if (change.table, change.field) == ("allocation", "arm")]
    assert told == ["–"]
    assert "surgery" not in json.dumps([change.new for change in trail(monitor)])


@pytest.mark.requirement("trust-6")
def test_a_review_is_an_entry_of_its_own(app, house, answered):
    monitor = Staff(app, house, role="monitor")

    assert monitor.post(f"{PAGE}/trail/review", found="").status_code == 400
    assert monitor.post(f"{PAGE}/trail/review", found="nothing to remark").status_code == 303
    last = trail(monitor)[-1]
    assert (last.action, last.actor, last.reason) == (
        "trail reviewed",
        monitor.email,
        "up to entry 5: nothing to remark",
    )


@pytest.mark.requirement("trust-43")
def test_a_patient_who_withdraws_may_have_her_number_erased(nurse, house, desk):
    desk.enrol()
    desk.enrol("UME-002", phone="070-174 06 08")

    response = nurse.record("withdrawal", happened_on="2027-03-01", reason="own wish", erase="yes")

    with reading(house.engine) as connection:
        kept = connection.execute(select(Contact.address, Contact.address_hash).order_by(Contact.id)).all()
    assert response.status_code == 303
    assert tuple(kept[0]) == ("", "")
    assert house.cipher.decrypt(kept[1].address) == "+46701740608"
    assert "contact erased" in actions(house)


SHOWS_PATIENTS = [
    "/desk",
    PAGE,
    f"{PAGE}/visits/BL",
    ITEM,
    f"{PAGE}/trail",
    f"{PAGE}/trail.csv",
    f"{PAGE}/trail.json",
    f"{PAGE}/looks",
    f"{PAGE}/signatures",
]


@pytest.mark.requirement("trust-7")
@pytest.mark.parametrize("path", SHOWS_PATIENTS)
def test_a_page_that_shows_a_patient_leaves_one_row_that_says_who_looked(nurse, house, answered, path):
    desk_unanswered(house)
    before = len(looks(house))

    page = nurse.client.get(path)

    made = looks(house)[before:]
    shown = set(re.findall(r"\b(?:UME|LUN)-\d{3}\b", page.text))
    assert page.status_code == 200
    assert len(made) == (1 if shown else 0)
    assert all((look.actor, look.channel) == (nurse.email, "desk") for look in made)
    assert shown <= {subject for look in made for subject in look.subjects}


def desk_unanswered(house):
    Desk(house).enrol("UME-002", phone=None)


@pytest.mark.requirement("trust-7")
def test_no_page_of_the_desk_shows_a_patient_without_leaving_a_row(app, house, nurse, answered):
    """Every page that a person can open by its address alone, with every value that stands in one."""
    values = {"subject": "UME-001", "visit": "BL", "instrument": "qlq-c30", "item": "q12", "site": "UME"}
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or not rule.endpoint.startswith("desk.") or not rule.arguments <= values.keys():
            continue
        with app.test_request_context():
            path = rule.build({name: values[name] for name in rule.arguments})[1]
        before = len(looks(house))
        page = nurse.client.get(path)
        if page.status_code == 200 and "UME-001" in page.text:
            assert len(looks(house)) == before + 1, path
            assert "UME-001" in looks(house)[-1].subjects, path


def test_a_patient_can_be_told_who_has_looked(nurse, house, answered):
    nurse.client.get(PAGE)

    with reading(house.engine) as connection:
        told = looks_at(connection, "UME-001")
        others = looks_at(connection, "UME-00")
    assert [(look.actor, look.what) for look in told] == [(nurse.email, "desk.patient")]
    assert others == []
    page = nurse.client.get(f"{PAGE}/looks").text
    assert nurse.email in page
    assert "patientens sida" in page


def test_every_address_of_a_patient_that_shows_more_than_her_page_has_its_own_words(app):
    hers = {rule.endpoint for rule in app.url_map.iter_rules() if "<subject>" in rule.rule and "GET" in rule.methods}

    assert {one for one in hers if one.startswith("desk.")} - SHOWN.keys() == {"desk.patient"}


def sign(staff, path=f"{PAGE}/signatures", **changes):
    fields = {"meaning": "confirmed", "email": staff.email, "password": PASSWORD, **changes}
    return staff.post(path, **fields)


@pytest.mark.requirement("trust-26", "trust-27")
def test_a_signature_names_who_when_and_what_it_means_and_shows_a_later_change(investigator, nurse, house, answered):
    assert sign(investigator).status_code == 303

    shown = " ".join(investigator.open(f"{PAGE}/signatures").words.split())
    assert "Some One" in shown
    assert "2027-03-01 13:00 +01:00" in shown
    assert "Europe/Stockholm" in shown
    assert "These data are complete and correct" in shown
    assert "changed since" not in shown
    nurse.post(ITEM, value="3", **WHY)
    shown = investigator.open(f"{PAGE}/signatures").words
    assert re.search(r"version 2,\s+changed since", shown)


@pytest.mark.requirement("trust-26")
@pytest.mark.parametrize(
    "wrong", [{"password": "wrong horse battery"}, {"password": ""}, {"email": "other@example.org"}, {"meaning": ""}]
)
def test_a_signature_wants_both_components_and_a_meaning(investigator, house, answered, wrong):
    assert sign(investigator, **wrong).status_code == 400
    assert "record signed" not in actions(house)


def test_a_nurse_signs_nothing(nurse, house, answered):
    assert sign(nurse).status_code == 403
    assert sign(nurse, "/desk/signing/UME", cut_on="2027-03-01").status_code == 403


@pytest.mark.requirement("trust-26")
@pytest.mark.bends_the_record
def test_a_signature_that_was_copied_to_another_record_does_not_fit(investigator, house, desk, answered):
    desk.enrol("UME-002")
    sign(investigator)

    with writing(house.engine) as connection:
        row = connection.execute(select(Signature.__table__)).one()._mapping
        with entry(connection, chain="UME", action="copied", by=NURSE, at=NOW) as made:
            made.insert(Signature, **{**row, "id": row["id"] + 1, "subject": "UME-002", "entry": made.id})

    assert "does not fit what was signed" in investigator.open("/desk/patients/UME-002/signatures").words
    with reading(house.engine) as connection:
        assert any("under UME-002 does not fit" in fault for fault in verify(connection, []).faults)


def lock(staff, **changes):
    return sign(staff, "/desk/signing/UME", **{"cut_on": "2027-03-01", "lock": "yes", **changes})


@pytest.mark.requirement("trust-28")
def test_locked_data_refuse_a_correction_and_the_trail_tells_that_it_was_tried(investigator, nurse, house, answered):
    assert lock(investigator).status_code == 303

    response = nurse.post(ITEM, value="3", **WHY)

    assert response.status_code == 400
    assert "locked up to 2027-03-01" in response.text
    assert len(versions(house)) == 1
    assert actions(house).count("refused, data are locked: answer corrected") == 1


@pytest.mark.requirement("trust-28")
@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("death", {"happened_on": "2027-03-01"}),
        ("withdrawal", {"happened_on": "2027-03-01", "reason": "own wish"}),
        ("surgery", {"happened_on": "2027-03-01"}),
        ("progression", {"happened_on": "2027-03-01"}),
        ("seen", {"happened_on": "2027-03-01"}),
        ("randomisation", {"randomised_on": "2027-03-01", "arm": "surgery"}),
    ],
)
def test_locked_data_refuse_what_happened_by_then(investigator, nurse, house, answered, what, fields):
    lock(investigator)
    before = rows_of(house)

    assert nurse.record(what, **fields).status_code == 422
    after = rows_of(house)
    assert {name for name in after if after[name] != before[name]} <= {"audit", "access"}


def test_a_patient_who_wants_no_more_texts_is_heard_though_her_data_are_locked(investigator, nurse, house, answered):
    lock(investigator)

    assert nurse.record("permission", texts_allowed="no").status_code == 303
    assert nurse.record("number", phone="070-174 06 07", phone_again="070-174 06 07").status_code == 303


def test_a_link_to_locked_data_opens_nothing_and_keeps_nothing(investigator, house, desk, browser, link):
    desk.enrol()
    token = link()
    browser.begin(token)
    lock(investigator)

    page = browser.answer(1, 1)

    assert page.status == 404
    assert versions(house) == []


@pytest.mark.requirement("trust-28")
def test_data_are_opened_again_under_a_signature_and_for_a_reason(investigator, nurse, house, answered):
    lock(investigator)
    unlock = "/desk/signing/UME/unlock"

    assert sign(investigator, unlock, reason="").status_code == 400
    assert sign(investigator, unlock, reason="late form", password="wrong").status_code == 400
    assert nurse.post(ITEM, value="3", **WHY).status_code == 400
    assert sign(investigator, unlock, reason="late form").status_code == 303
    assert nurse.post(ITEM, value="3", **WHY).status_code == 303
    with reading(house.engine) as connection:
        rows = connection.execute(select(DataLock.locked, DataLock.signature).order_by(DataLock.id)).all()
    assert [row.locked for row in rows] == [True, False]
    assert len({row.signature for row in rows}) == 2


@pytest.mark.requirement("trust-27")
def test_a_lock_without_the_signers_password_is_refused(investigator, nurse, house, answered):
    assert lock(investigator, password="").status_code == 400

    assert nurse.post(ITEM, value="3", **WHY).status_code == 303


@pytest.mark.requirement("trust-27")
def test_a_lock_row_cannot_stand_without_its_signature(house, investigator, answered):
    with (
        pytest.raises(IntegrityError),
        writing(house.engine) as connection,
        entry(connection, chain="UME", action="locked", by=NURSE, at=NOW) as made,
    ):
        made.insert(DataLock, site="UME", cut_on=NOW.date(), locked=True, signature=4711, at=NOW)


# ---- both components, where the signer has a second step


@pytest.mark.requirement("trust-26")
def test_who_has_a_second_step_gives_it_anew_with_each_signature(investigator, house, clock, answered):
    secret, (recovery, *_) = with_authenticator(investigator)
    clock.wait(minutes=2)
    code = code_of(secret, clock.now)

    for wrong in ({}, {"code": ""}, {"code": "000000"}, {"credential": "{}"}):
        assert "The second step is missing, wrong or was used" in sign(investigator, **wrong).text
    assert "record signed" not in actions(house)
    assert sign(investigator, code=code).status_code == 303
    assert sign(investigator, code=code).status_code == 400
    assert sign(investigator, code=recovery).status_code == 303
    assert lock(investigator, code=recovery).status_code == 400
    clock.wait(minutes=1)
    assert lock(investigator, code=code_of(secret, clock.now)).status_code == 303
    assert actions(house).count("record signed") == 2
    page = investigator.open(f"{PAGE}/signatures")
    assert "authenticator app" in page.words


@pytest.mark.requirement("trust-26", "trust-24")
def test_codes_that_are_wrong_at_signing_are_slowed_down_like_those_of_signing_in(investigator, house, clock, answered):
    secret, _ = with_authenticator(investigator)
    clock.wait(minutes=2)
    for _ in range(5):
        sign(investigator, code="000000")

    response = sign(investigator, code=code_of(secret, clock.now))

    assert response.status_code == 400
    assert "too often" in response.text
    assert "record signed" not in actions(house)


@pytest.mark.requirement("trust-26")
def test_a_passkey_signs_beside_the_password_and_each_challenge_once(investigator, house, answered):
    key = SoftPasskey(house.settings.address)
    options = json.loads(investigator.post("/desk/account/passkey/options").text)
    investigator.post("/desk/account/passkey", credential=key.made_for(options), name="desk")
    investigator.token = investigator.open("/desk/account").fields["csrf_token"]
    assert "use your passkey" in investigator.open(f"{PAGE}/signatures").words
    shown = key.signed_for(json.loads(investigator.post("/desk/login/passkey/options").text))

    assert sign(investigator, credential=shown).status_code == 303
    assert "The second step is missing, wrong or was used" in sign(investigator, credential=shown).text
    assert actions(house).count("record signed") == 1


@pytest.mark.requirement("trust-26")
def test_a_passkey_of_somebody_else_signs_nothing(app, investigator, house, answered):
    other, keys = Staff(app, house, role="investigator", sites=["UME", "LUN"]), {}
    for one in (investigator, other):
        keys[one] = SoftPasskey(house.settings.address)
        options = json.loads(one.post("/desk/account/passkey/options").text)
        one.post("/desk/account/passkey", credential=keys[one].made_for(options), name="desk")
        one.token = one.open("/desk/account").fields["csrf_token"]
    shown = keys[other].signed_for(json.loads(investigator.post("/desk/login/passkey/options").text))

    assert "The second step is missing, wrong or was used" in sign(investigator, credential=shown).text
    assert "record signed" not in actions(house)
