"""Every screen that a patient of a trial may meet, drawn without a patient: for those who judge the trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, g, render_template
from flask_babel import gettext

from epro.acts.answers import ANSWERED, MODES_ASKED, Given
from epro.acts.links import SELF, Opened
from epro.house import House
from epro.protocol import Protocol
from epro.web import patient
from epro.web.app import create_app
from epro.web.languages import speak
from epro.web.patient import Seen
from epro.web.questions import Everything, questions_of, standings
from epro.web.sittings import Sitting

NOBODY, CODE_WORD, SITTING = "sample", "example", "one"
Screen = tuple[str, str]  # what it is called, and its HTML


def app_of(house: House) -> Flask:
    return create_app(house)


def screens(app: Flask, house: House, language: str, now: datetime) -> Iterator[Screen]:
    """Each screen in one language, in the order in which she meets them."""
    site = next(iter(house.protocol.sites))
    with app.test_request_context("/form/1"):
        g.now = now
        speak(language)
        yield from _arriving(house.protocol, site)
        for visit, title in _different_visits(house.protocol, language).items():
            yield from _form(house.protocol, site, visit, title, language, now)
        nurse = patient.nurse_of(site)
        yield gettext("Thanks"), render_template("patient/done.html", nurse=nurse, on_tablet=False)
        yield (
            gettext("Thanks, on the clinic's tablet"),
            render_template("patient/done.html", nurse=nurse, on_tablet=True),
        )
        yield gettext("A link that opens nothing"), _html(patient.closed())
        yield (
            gettext("Accessibility"),
            render_template("patient/accessibility.html", sites=house.protocol.sites, nurse_of=patient.nurse_of),
        )


def _arriving(protocol: Protocol, site: str) -> Iterator[Screen]:
    nurse, trial = patient.nurse_of(site), protocol.trial
    start: dict[str, Any] = {
        "nurse": nurse,
        "code_word": CODE_WORD,
        "asks": None if trial.identity_step == "none" else trial.identity_step,
        "who_modes": MODES_ASKED if trial.who_answers == "start" else (),
        "on_tablet": False,
    }
    yield gettext("Start"), render_template("patient/start.html", **start)
    yield gettext("The code of the card"), render_template("patient/card.html")
    yield gettext("Somebody else has the phone"), render_template("patient/not_me.html", token="", nurse=nurse)
    for number in (False, True):
        yield gettext("Told"), render_template("patient/denied.html", number=number, nurse=nurse)


def _different_visits(protocol: Protocol, language: str) -> Mapping[str, str]:
    """One visit for each set of questionnaires, and its title."""
    seen: dict[tuple[str, ...], str] = {}
    for code, visit in protocol.schedule.visits.items():
        seen.setdefault(tuple(visit.instruments), code)
    visits = protocol.schedule.visits
    return {code: visits[code].title.get(language) or next(iter(visits[code].title.values())) for code in seen.values()}


def _form(protocol: Protocol, site: str, visit: str, title: str, language: str, now: datetime) -> Iterator[Screen]:
    """Every question, those behind a gate too, then the question about a blank and the look over all answers."""
    seen = _seen(protocol, site, visit, language, now, {})
    for standing in seen.standings:
        place = gettext("Question %(n)s of %(count)s", n=standing.question.n, count=len(seen.asked))
        yield f"{title}: {place} ({standing.question.name})", _html(patient.question_page(seen, standing.question.n))
    yield f"{title}: {gettext('No answer chosen')}", _html(patient.question_page(seen, 1, asks=True))
    answered = _seen(protocol, site, visit, language, now, _answers(seen))
    yield f"{title}: {gettext('Look over your answers')}", patient.look_over_page(answered)


def _answers(seen: Seen) -> Everything:
    return {
        (each.question.instrument, each.question.item): Given(
            each.question.words.options[0][0], None, ANSWERED, SITTING
        )
        for each in seen.standings
        if each.question.words.options
    }


def _seen(protocol: Protocol, site: str, visit: str, language: str, now: datetime, given: Everything) -> Seen:
    opened = Opened(
        token_hash="",
        assessment=0,
        subject=NOBODY,
        site=site,
        visit=visit,
        version=0,
        language=language,
        mode=SELF,
        closes_at=now,
    )
    sitting = Sitting("", SITTING, language, language, site, SELF, now.isoformat())
    questions = questions_of(protocol, visit, opened.version, language, given)
    return Seen(sitting, opened, standings(questions, given, SITTING, may_read=False))


def _html(page: patient.Page) -> str:
    return str(page[0] if isinstance(page, tuple) else page)
