"""The site holds its own copy of what its patients answered, whole, in order, and readable with the service gone."""

import json
from dataclasses import replace

import pytest

from epro.acts import answers, links
from epro.acts.answers import Said
from epro.site_copy import CopyBent, bring_up_to_date, verified
from epro.store.database import writing
from tests.epro.conftest import NOW
from tests.web.conftest import link

__all__ = ["link"]
pytestmark = pytest.mark.requirement("trust-14")


@pytest.fixture
def copying(house, tmp_path):
    return replace(house, settings=house.settings.model_copy(update={"site_copy": tmp_path}))


@pytest.fixture
def submit(house, desk, link):
    def submit(subject: str, **phone: str) -> None:
        desk.enrol(subject, **phone)
        token = link(subject)
        with writing(house.engine) as connection:
            opened = links.opened_for_writing(connection, links.hash_of(token), NOW)
            answers.start(connection, house.protocol, opened, language="sv", now=NOW)
            said = [Said("qlq-c30", f"q{n}", 2, key=f"{n:032x}.2") for n in range(1, 6)]
            answers.save(connection, house.protocol, opened, said, session="a sitting", now=NOW)
            answers.submit(connection, house.protocol, opened, now=NOW)

    return submit


def test_after_every_submission_the_copy_holds_what_the_database_holds(copying, submit, tmp_path):
    for n in range(1, 4):
        submit(f"UME-00{n}", phone=f"070-174 06 {10 + n}")
        assert bring_up_to_date(copying) == 1
    submit("LUN-001", phone="070-174 06 20")
    assert bring_up_to_date(copying) == 1
    assert bring_up_to_date(copying) == 0

    held = verified(tmp_path / "UME.jsonl")
    assert [line["subject"] for line in held] == ["UME-001", "UME-002", "UME-003"]
    assert [answer["value"] for answer in held[0]["answers"]] == [2] * 5
    assert len(verified(tmp_path / "LUN.jsonl")) == 1


def test_a_form_that_is_not_submitted_is_not_copied_and_no_number_ever_is(copying, submit, desk, tmp_path):
    submit("UME-001", phone="070-174 06 05")
    desk.enrol("UME-002", phone="070-174 06 06")
    bring_up_to_date(copying)

    text = (tmp_path / "UME.jsonl").read_text()
    assert "UME-002" not in text
    assert "70174" not in text


def test_a_line_that_was_cut_off_by_a_crash_is_written_anew(copying, submit, tmp_path):
    submit("UME-001", phone="070-174 06 05")
    submit("UME-002", phone="070-174 06 06")
    bring_up_to_date(copying)
    file = tmp_path / "UME.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])

    assert bring_up_to_date(copying) == 1
    assert file.read_bytes() == whole


@pytest.mark.parametrize("what", ["value", "order", "gap"])
def test_a_copy_that_was_bent_is_named_by_its_line(copying, submit, tmp_path, what):
    for n in range(1, 4):
        submit(f"UME-00{n}", phone=f"070-174 06 {10 + n}")
    bring_up_to_date(copying)
    file = tmp_path / "UME.jsonl"
    lines = file.read_text().splitlines()
    if what == "value":
        told = json.loads(lines[1])
        told["answers"][0]["value"] = 4
        lines[1] = json.dumps(told)
    elif what == "order":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        del lines[1]
    file.write_text("\n".join(lines) + "\n")

    with pytest.raises(CopyBent, match=r"UME\.jsonl, line 2"):
        bring_up_to_date(copying)
