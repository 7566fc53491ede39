"""The command line, as its users meet it."""

import hashlib
import json
import re

import pytest
from sqlalchemy import select

from epro.cli import COMMANDS
from epro.opening import open_house
from epro.settings import DEFAULT_TRIAL, read_settings, write_fresh_keys
from epro.store.database import reading
from epro.store.models import Audit

ENROL = [
    "enrol", "UME-001", "--site", "UME", "--stratum", "er=pos", "--stratum", "metastases=1",
    "--consented-on", "2026-01-15", "--eligible", "--texts-allowed", "--phone", "070-174 06 05",
]  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A place of its own with fresh keys."""
    monkeypatch.setenv("EPRO_HOME", str(tmp_path))
    write_fresh_keys(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(epro, command):
    subcommands = {"users": "add", "keys": "new"}
    code, out, _ = epro(command, *([subcommands[command]] if command in subcommands else []), "--help")

    assert code == 0
    assert "Example: " in out


def test_a_trial_is_printed_as_a_person_would_read_it(epro):
    code, out, _ = epro("check", DEFAULT_TRIAL)

    assert code == 0
    for said in (
        "NCT04079049",
        "3 months after randomisation",
        "Oestrogen receptor: pos / neg",
        "ECOG 0-1",
        "demonstration",
    ):
        assert said in out


def test_a_broken_trial_is_told_by_line_and_fails(epro, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text(DEFAULT_TRIAL.read_text().replace('end = "08:00"', 'end = "8"'))

    code, out, err = epro("check", broken)

    assert code == 1
    assert out == ""
    assert re.search(r"^broken\.toml:\d+: ", err, re.MULTILINE)


def test_faults_can_be_read_by_a_program(epro, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[trial]\n")

    code, out, _ = epro("check", broken, "--json")

    assert code == 1
    told = json.loads(out)
    assert told["ok"] is False
    assert {"file", "line", "what", "cure"} <= set(told["faults"][0])


@pytest.mark.parametrize("command", ["serve", "clock", "enrol"])
def test_what_needs_the_database_says_so_before_it_is_released(epro, home, command):
    code, _, err = epro(*(ENROL if command == "enrol" else [command]))

    assert code == 1
    assert "epro release" in err


def test_a_missing_setting_is_named_with_the_place_to_set_it(epro, home):
    (home / "epro.env").unlink()

    code, _, err = epro("release")

    assert code == 1
    assert "EPRO_SECRET_KEY: is missing" in err
    assert str(home / "epro.env") in err


def test_a_live_trial_is_refused_naming_what_is_missing(epro, home, monkeypatch, tmp_path):
    live = tmp_path / "live.toml"
    live.write_text(DEFAULT_TRIAL.read_text().replace("live = false", "live = true"))
    monkeypatch.setenv("EPRO_TRIAL", str(live))

    code, _, err = epro("release")

    assert code == 1
    assert "licensed wording" in err


def test_a_database_that_cannot_be_reached_is_said_in_words(epro, home, monkeypatch):
    monkeypatch.setenv("EPRO_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")

    code, _, err = epro("release")

    assert code == 1
    assert "EPRO_DATABASE_URL" in err
    assert "secret" not in err


def test_from_an_empty_place_to_a_patient_with_a_plan(epro, home):
    assert epro("release")[0] == 0

    code, out, _ = epro(*ENROL, "--randomised-on", "2026-01-20", "--arm", "surgery", "--json")

    assert code == 0
    planned = [text["key"] for text in json.loads(out)["texts"]]
    assert "UME-001/M36/invite/sms/1" in planned
    assert "70174" not in out


def test_a_refused_enrolment_names_every_field_and_keeps_nothing(epro, home):
    epro("release")

    code, _, err = epro(*(argument.replace("UME", "XXX").replace("070-174 06 05", "08") for argument in ENROL))

    assert code == 1
    assert re.search(r"^site: ", err, re.MULTILINE)
    assert re.search(r"^phone: ", err, re.MULTILINE)
    assert epro(*ENROL)[0] == 0


def test_releasing_again_changes_nothing(epro, home):
    first = epro("release")

    assert epro("release") == first


def test_keys_can_be_made_and_are_never_the_same(epro):
    (_, first, _), (_, second, _) = epro("keys", "new"), epro("keys", "new")

    assert first.startswith("EPRO_SECRET_KEY=")
    assert first != second


def test_a_folder_that_is_no_trial_is_refused_in_words(epro, tmp_path):
    code, _, err = epro("report", tmp_path)

    assert code == 1
    assert "analysis.toml" in err


def test_a_patient_is_stopped_when_nothing_is_pending(epro, home):
    epro("release")
    epro(*ENROL)
    code, out, _ = epro("stopped", "UME-001", "--json")
    assert code == (1 if json.loads(out)["pending"] else 0)

    code, out, err = epro("stopped", "UME-999")
    assert (code, out) == (1, "")
    assert "No patient has the subject id UME-999." in err


def test_the_shipped_texts_give_nothing_away_and_a_sender_that_does_is_told(epro):
    code, out, err = epro("check", DEFAULT_TRIAL, "--json")
    assert (code, json.loads(out)["warnings"], err) == (0, [], "")

    _, out, err = epro("check", DEFAULT_TRIAL, "--sender", "Onkologen")
    assert "the sender says “onkolog”" in err


def test_the_doctor_says_what_to_do_and_when_all_is_well(epro, home):
    code, out, _ = epro("doctor")
    assert code == 1
    assert "Run `epro release`." in out

    epro("release")
    code, out, _ = epro("doctor", "--json")
    lines = {line["what"]: line for line in json.loads(out)}
    assert code == 1
    assert lines["database"]["ok"]
    assert lines["clock"] == {"what": "clock", "ok": False, "found": "has never run", "cure": "Start `epro clock`."}
    assert all(line["ok"] for name, line in lines.items() if name != "clock")


def test_the_doctor_points_from_a_broken_trial_file_to_its_check(epro, home, monkeypatch, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[trial]\n", encoding="utf-8")
    monkeypatch.setenv("EPRO_TRIAL", str(broken))

    code, out, _ = epro("doctor")

    assert code == 1
    assert "Run `epro check broken.toml`." in out


def trial_with(folder, *changes):
    text = DEFAULT_TRIAL.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "changed.toml"
    file.write_text(text, encoding="utf-8")
    return file


M12 = ('month = 12\nanchor = "randomisation"', 'month = 12\nanchor = "surgery"')
ANCHOR = 'randomisation = "the day of randomisation, in the trial\'s zone"'


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ('surgery = { title = "surgery", arms = ["surgery"] }', "no patient of control has it"),
        ('surgery = "surgery"', "nothing says whether every arm has 'surgery'"),
        ('surgery = { title = "surgery", arms = ["surgery", "control"] }', None),
    ],
)
def test_arms_compared_at_a_visit_that_hangs_on_what_one_arm_lacks_are_warned_of(epro, tmp_path, anchor, said):
    file = trial_with(tmp_path, M12, (ANCHOR, f"{ANCHOR}\n{anchor}"))

    code, out, _ = epro("check", file, "--json")

    warnings = json.loads(out)["warnings"]
    assert code == 0
    assert [said in warning["what"] for warning in warnings] == ([True] if said else [])
    assert all(file.read_text(encoding="utf-8").splitlines()[w["line"] - 1] == 'anchor = "surgery"' for w in warnings)


def test_an_anchor_of_an_arm_that_does_not_exist_is_refused(epro, tmp_path):
    file = trial_with(tmp_path, (ANCHOR, f'{ANCHOR}\nsurgery = {{ title = "surgery", arms = ["surgeon"] }}'))

    code, _, err = epro("check", file)

    assert code == 1
    assert "no arm is called 'surgeon'" in err


def test_the_check_says_what_the_texts_take_and_cost(epro, tmp_path):
    """10 visits x 3 steps of one segment at 0.60; with an en dash the reminders take two."""
    costs = json.loads(epro("check", DEFAULT_TRIAL, "--json")[1])["texts"]
    assert (costs["most_segments_a_patient"], costs["most_a_patient"], costs["currency"]) == (30, 18.0, "SEK")
    assert costs["most_for_the_trial"] == 3600.0

    file = trial_with(tmp_path, ("En påminnelse, ditt", "En påminnelse – ditt"))
    costs = json.loads(epro("check", file, "--json")[1])["texts"]
    sizes = {(one["language"], one["text"]): (one["segments"], one["alphabet"]) for one in costs["sizes"]}
    assert sizes["sv", "reminder"] == (3, "UCS-2")
    assert costs["most_segments_a_patient"] == 10 * (1 + 3 + 3)


def test_a_mail_address_may_be_given_at_enrolment(epro, home):
    epro("release")

    code, out, _ = epro(*ENROL, "--email", "hers@example.org")

    assert code == 0
    assert "hers@" not in out


@pytest.mark.requirement("trust-22", "trust-21")
def test_a_review_of_the_accounts_says_what_to_look_at_and_stands_in_the_trail(epro, home):
    epro("release")
    epro("users", "add", "nurse@example.org", "--name", "Study Nurse", "--role", "nurse", "--link")
    epro("users", "add", "gone@example.org", "--name", "Gone", "--role", "monitor", "--link")
    epro("users", "disable", "gone@example.org")

    code, out, _ = epro("users", "review", "--json")

    first, accounts = json.loads(out), {one["email"]: one for one in json.loads(out)["accounts"]}
    assert code == 0
    assert first["last_reviewed_at"] is None
    assert accounts["nurse@example.org"]["remarks"] == ["never signed in", "no second step", "no site"]
    assert accounts["gone@example.org"]["remarks"] == ["disabled"]

    code, out, _ = epro("users", "review")
    assert code == 0
    assert f"reviewed before: {first['reviewed_at'][:16].replace('T', ' ')}" in out
    assert "nurse@example.org  Study Nurse  nurse" in out
    house = open_house(read_settings())
    with reading(house.engine) as connection:
        told = connection.execute(select(Audit.reason).where(Audit.action == "accounts reviewed")).scalars().all()
    house.engine.dispose()
    assert told[0] == f"sha256 {hashlib.sha256(json.dumps(first, ensure_ascii=False, indent=2).encode()).hexdigest()}"
