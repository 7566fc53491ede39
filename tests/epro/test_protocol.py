"""The trial file: one that holds together, and each way in which it may not, by line."""

from pathlib import Path

import pytest

from epro.protocol import protocol_of, read_protocol, what_live_lacks
from epro.settings import DEFAULT_TRIAL
from questionnaires.located import Refused, parse

SHIPPED = DEFAULT_TRIAL.read_text(encoding="utf-8")


def refusal_of(text):
    with pytest.raises(Refused) as refused:
        protocol_of(parse(text, Path("trial.toml")))
    return refused.value.faults


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


def test_the_shipped_trial_holds_together():
    protocol = read_protocol(DEFAULT_TRIAL)

    assert protocol.trial.registration == "NCT04079049"
    assert set(protocol.arms) == {"surgery", "control"}
    assert len(protocol.sites) == 6
    assert [visit.month for visit in protocol.schedule.visits.values()] == [0, 1.5, 3, 6, 9, 12, 18, 24, 30, 36]
    assert {language for _, language in protocol.wordings} == {"sv", "en"}


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ('zone = "Europe/Stockholm"', 'zone = "Europe/Atlantis"', "Europe/Atlantis", "no time zone"),
        ('languages = ["sv", "en"]', 'languages = ["sv", "xx"]', '"xx"', "no language"),
        ('reference_arm = "control"', 'reference_arm = "placebo"', '"placebo"', "no arm is called"),
        ('strata = ["er", "metastases"]', 'strata = ["er", "age"]', '"age"', "no stratum"),
        ('qlq-c30 = "demo"', 'other = "demo"', None, r"\[wording\] does not say"),
        ('anchor = "consent"', 'anchor = "birth"', 'anchor = "birth"', "birth"),
        ('phone = "070-174 06 95"', 'phone = "08"', 'phone = "08"', "cannot be called"),
        ("[quiet]", "[quite]", "[quite]", r"no section \[quite\]"),
        ("planned_subjects = 200", "planned_subjects = 0", "planned_subjects = 0", "planned_subjects"),
        ('title = "BreCLIM-2: local', 'titel = "BreCLIM-2: local', None, "title"),
        ("day = 7\n", "day = 17\n", None, "17 days|day 17|17"),
        ("[strata.er]", '[imports.arm]\nA = "placebo"\n[strata.er]', 'A = "placebo"', "arm cannot be 'placebo'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_a_cure(old, new, at, said):
    assert old in SHIPPED
    broken = SHIPPED.replace(old, new, 1)

    faults = refusal_of(broken)

    import re

    told = [fault for fault in faults if re.search(said, fault.what)]
    assert told, faults
    assert all(fault.cure for fault in faults)
    assert all(fault.file == "trial.toml" and fault.line >= 1 for fault in faults)
    if at is not None:
        assert line_of(broken, at) in {fault.line for fault in told}


def test_an_unknown_instrument_is_told_where_the_visit_names_it():
    broken = SHIPPED.replace('instruments = ["qlq-c30"]', 'instruments = ["qlq-c31"]', 1)

    (fault,) = refusal_of(broken)
    assert "qlq-c31" in fault.what
    assert "qlq-c30" in fault.cure
    assert fault.line == line_of(broken, '"qlq-c31"')


def test_a_file_that_is_not_toml_is_told_by_line():
    (fault,) = refusal_of(SHIPPED.replace("[arms]", "[arms", 1))

    assert "not TOML" in fault.what


def test_a_file_that_is_not_there_is_told_as_such():
    with pytest.raises(Refused, match="no such file"):
        read_protocol(Path("nowhere.toml"))


def test_a_live_trial_is_told_what_is_still_missing():
    assert what_live_lacks(read_protocol(DEFAULT_TRIAL)) == ()

    live = protocol_of(parse(SHIPPED.replace("live = false", "live = true"), Path("trial.toml")))
    assert any("licensed wording" in thing for thing in what_live_lacks(live))
