"""`epro dossier`: what the ethics board and the owner of a questionnaire are shown."""

import html
import re

import pytest

from epro.protocol import read_protocol
from epro.settings import DEFAULT_TRIAL


@pytest.fixture(scope="module")
def dossier(tmp_path_factory):
    from epro.rehearsal.dossier import write_dossier
    from tests.epro.conftest import NOW

    return write_dossier(DEFAULT_TRIAL, None, NOW)


def framed(dossier):
    """Every screen, as the browser would show it."""
    return [html.unescape(each) for each in re.findall(r'srcdoc="([^"]*)"', dossier)]


def test_every_question_stands_in_every_language_and_at_every_width(dossier):
    protocol, shown = read_protocol(DEFAULT_TRIAL), framed(dossier)

    for language in protocol.trial.languages:
        for item in protocol.wordings["qlq-c30", language].items.values():
            asked = [one for one in shown if f'<h1 tabindex="-1">{item.text}</h1>' in one and 'class="item' in one]
            assert len(asked) >= 2
            for _, label in item.options:
                assert label in asked[0]


def test_every_screen_besides_the_questions_stands_in_it(dossier):
    shown = framed(dossier)

    for heading in (
        "Ett formulär väntar på dig",
        "Du har inte valt något svar",
        "Se över dina svar",
        "Tack, ditt formulär är sparat",
        "Formuläret är inte öppet här",
        "Är det här inte till dig?",
        "Har du ett kort med en kod?",
        "A form is waiting for you",
        "Look over your answers",
        "The form is not open here",
    ):
        assert sum(heading in one for one in shown) >= 2, heading


def test_every_text_and_every_visit_of_the_calendar_stands_in_it(dossier):
    protocol = read_protocol(DEFAULT_TRIAL)

    for texts in protocol.schedule.texts.values():
        for text in texts.values():
            assert html.escape(text.split("{")[0].strip()) in dossier
    for visit in protocol.schedule.visits:
        assert f'<th scope="row">{visit}</th>' in dossier


def test_it_asks_nothing_of_a_network_and_runs_no_script(dossier):
    assert "<script" not in dossier
    assert not re.search(r'(?:src|href)="(?!tel:|data:)https?:', dossier)
    assert not [one for one in framed(dossier) if "<script" in one or '<link rel="stylesheet"' in one]


def test_the_command_writes_it_and_says_where(epro, tmp_path):
    code, said, _ = epro("dossier", DEFAULT_TRIAL, "--out", tmp_path / "dossier.html", "--language", "en")

    assert code == 0
    assert "dossier.html" in said
    assert "Where the data go" in (tmp_path / "dossier.html").read_text()
