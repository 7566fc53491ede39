"""A trial nurse who writes no code: one file that describes, one with the words, one line in the trial file."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import analysis
import questionnaires
from epro.acts import patients
from epro.acts.trial import refuse_changed_words
from epro.protocol import read_protocol
from epro.queries.export import export
from epro.settings import DEFAULT_TRIAL
from epro.store.database import reading
from epro.store.models import Answer
from epro.web.app import create_app
from questionnaires import packs
from questionnaires.located import Refused
from tests.epro.conftest import NOW, Desk
from tests.web.conftest import Browser

DEFINITION = Path(__file__).parents[1] / "questionnaires" / "instruments" / "five-items.toml"
LABELS = ["Never", "A little", "Much", "All the time"]
WORDS = {
    ("title", ""): "Walking and balance",
    ("recall", "week"): "Think of the last week.",
    **{("option", f"four.{n}"): label for n, label in enumerate(LABELS, start=1)},
    ("item", "walk"): "Trouble walking",
    ("item", "lift"): "Trouble lifting",
    ("item", "dizzy"): "Dizziness",
    ("item", "fell"): "Falls",
    ("item", "remarks"): "Anything else",
}


@pytest.fixture
def folder(tmp_path):
    """The shipped trial with one questionnaire of its own at the baseline, and the two files beside it."""
    shutil.copyfile(DEFINITION, tmp_path / "five-items.toml")
    instrument = questionnaires.load(DEFINITION)
    pack = tmp_path / "wordings" / "ours"
    pack.mkdir(parents=True)
    for language in ("sv", "en"):
        manifest = {
            "instrument": "five-items",
            "version": instrument.version,
            "language": language,
            "pack": "ours",
            "source": "our own",
            "redistributable": True,
            "demonstration": False,
        }
        (pack / f"five-items.{language}.toml").write_text(packs.written(instrument, manifest, WORDS), encoding="utf-8")
    text = DEFAULT_TRIAL.read_text(encoding="utf-8")
    text = text.replace('instruments = ["qlq-c30"]', 'instruments = ["five-items", "qlq-c30"]', 1)
    text = text.replace("[wording]", '[wording]\nfive-items = "ours"', 1)
    (tmp_path / "trial.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def own(house, folder):
    return replace(house, protocol=read_protocol(folder / "trial.toml"))


@pytest.fixture
def token(own, link):
    Desk(own).enrol()
    return link()


@pytest.fixture
def browser(own, token):
    browser = Browser(create_app(own))
    browser.begin(token)
    return browser


def kept(house, item):
    with reading(house.engine) as connection:
        said = select(Answer.value, Answer.text, Answer.state).where(Answer.item == item).order_by(Answer.id)
        return [tuple(row) for row in connection.execute(said)]


def test_what_hangs_on_a_gate_is_asked_only_when_the_gate_says_so(browser):
    page = browser.answer(1, 3, value="1")
    assert page.heading == "Anything else"  # no dizziness: falls are not asked
    assert "34" in page.words

    page = browser.answer(3, 3, value="3")
    assert page.heading == "Falls"
    assert "35" in page.words


def test_a_gate_closed_afterwards_makes_the_answer_not_applicable_and_keeps_the_earlier_one(own, browser):
    browser.answer(1, 4, value="3")
    browser.answer(3, 3, value="1")

    assert kept(own, "fell") == [(3, None, "answered"), (None, None, "not_applicable")]
    assert "Falls" not in browser.open("/form/review").words

    page = browser.answer(3, 3, value="2")
    assert page.heading == "Falls"
    assert page.chosen is None  # she is asked anew


def test_words_are_kept_as_words_and_leave_by_no_export(own, browser, tmp_path):
    browser.answer(1, 3, value="1")
    browser.press(browser.open("/form/4"), value="My neighbour helps me")

    assert kept(own, "remarks") == [(None, "My neighbour helps me", "answered")]
    export(own, tmp_path / "trial-folder", now=NOW)
    for file in (tmp_path / "trial-folder").rglob("*.csv"):
        assert "neighbour" not in file.read_text()


def test_words_that_are_too_long_are_refused_in_words(own, browser):
    browser.answer(1, 3, value="1")
    page = browser.press(browser.open("/form/4"), value="x" * 501)

    assert page.status == 422
    assert "500" in page.words
    assert kept(own, "remarks") == []


def test_every_item_is_exported_in_one_of_four_states(own, browser, tmp_path):
    browser.answer(1, 2, value="2")
    browser.press(browser.open("/form/3"), blank="1")
    browser.answer(3, 3, value="1")
    browser.press(browser.open("/form/4"), blank="1")

    trial = export(own, tmp_path / "trial-folder", now=NOW)

    mine = trial.answers[trial.answers["instrument"] == "five-items"].set_index("item")["state"]
    assert dict(mine) == {
        "walk": "answered",
        "lift": "answered",
        "dizzy": "answered",
        "fell": "not_applicable",
        "remarks": "skipped",
    }
    c30 = trial.answers[trial.answers["instrument"] == "qlq-c30"]
    assert set(c30["state"]) == {"not_shown"}
    assert len(c30) == 30


def test_its_scales_stand_in_the_report(own, browser, tmp_path):
    browser.answer(1, 4, value="2")
    Desk(own).act(patients.randomise, "UME-001", on=date(2027, 3, 1), arm="surgery")
    later = NOW + timedelta(days=30)  # the baseline's window is over

    trial = export(own, tmp_path / "trial-folder", now=later)
    page = analysis.report(trial, trial.plan, tmp_path / "report").read_text(encoding="utf-8")

    assert "Balance problems" in page
    numbers = (tmp_path / "report" / "numbers.csv").read_text()
    assert "profile.five-items.STRENGTH.surgery.BL.mean,66.6" in numbers


def test_words_that_forms_were_answered_in_may_not_change_under_the_same_edition(own, browser, folder):
    browser.answer(1, 1)
    file = folder / "wordings" / "ours" / "five-items.sv.toml"
    file.write_text(file.read_text().replace("Trouble walking", "Trouble with walking"))
    changed = read_protocol(folder / "trial.toml")

    with reading(own.engine) as connection:
        refuse_changed_words(connection, own.protocol)
        with pytest.raises(packs.PackIsLocked, match="edition = 2"):
            refuse_changed_words(connection, changed)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("five-items.toml", 'items = ["walk", "lift"]', 'items = ["walk", "run"]', "run"),
        ("wordings/ours/five-items.en.toml", 'fell = "Falls"', "", "fell"),
        ("trial.toml", 'five-items = "ours"', 'five-items = "theirs"', "theirs"),
        ("trial.toml", 'five-items = "ours"', 'six-items = "ours"', r"\[wording\] does not say"),
    ],
)
def test_what_is_wrong_in_any_of_the_three_files_is_told_by_file_and_line(folder, file, old, new, said):
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(Refused, match=said) as refused:
        read_protocol(folder / "trial.toml")
    assert all(fault.line >= 1 and fault.cure for fault in refused.value.faults)
    assert {fault.file for fault in refused.value.faults} == {Path(file).name}


def test_a_page_that_asks_for_a_number_takes_one_in_its_range_only(house, link, tmp_path):
    text = DEFAULT_TRIAL.read_text(encoding="utf-8")
    text = text.replace('instruments = ["qlq-c30"]', 'instruments = ["eq-5d-5l"]', 1)
    text = text.replace("[wording]", '[wording]\neq-5d-5l = "demo"', 1)
    (tmp_path / "trial.toml").write_text(text, encoding="utf-8")
    own = replace(house, protocol=read_protocol(tmp_path / "trial.toml"))
    Desk(own).enrol()
    browser = Browser(create_app(own))
    browser.begin(link())
    page = browser.answer(1, 5)
    assert 'type="number"' in page.html

    assert browser.press(page, value="101").status == 422
    assert browser.press(page, value="70").path == "/form/review"
