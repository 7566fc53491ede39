"""What would a patient of this trial see, be sent and be asked to trust? One file for the owner of a questionnaire's
copyright and for the ethics board.

Everything is drawn from the trial file and the pages themselves; nothing is written about them that could differ.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from flask import render_template
from flask_babel import force_locale

import scheduler
from epro.acts.trial import adopt
from epro.house import House
from epro.opening import open_house
from epro.protocol import Protocol
from epro.settings import Settings
from epro.store.audit import Actor
from epro.store.database import writing
from epro.store.migrating import migrate
from epro.web.screens import CODE_WORD, app_of, screens
from scheduler.messages import Plan
from scheduler.texts import render, segments

WIDTHS = (320, 390)
DAYS_TO_NEXT_ANCHOR = 10
SAMPLE = "SAMPLE"
LINK = "https://forms.example.org/p/" + "a" * 26
SECRET, KEY = "drawn, never served", "A" * 43 + "="
DRAWN_BY = Actor("dossier", "system", "command")


@dataclass(frozen=True)
class Text:
    step: str
    body: str
    segments: int


def write_dossier(trial: Path, language: str | None, now: datetime) -> str:
    """The dossier of a trial file as one HTML document. Raises Refused.

    language: in which it is written; None = the trial's first.
    """
    with tempfile.TemporaryDirectory() as home:
        house = open_house(Settings(home=Path(home), trial=trial, secret_key=SECRET, contact_keys=KEY), durable=False)
        try:
            migrate(house.engine)
            with writing(house.engine) as connection:
                adopt(connection, house.protocol, by=DRAWN_BY, now=now)
            return _document(house, language or house.protocol.language, now)
        finally:
            house.engine.dispose()


def _document(house: House, language: str, now: datetime) -> str:
    protocol, app = house.protocol, app_of(house)
    shown = {each: list(screens(app, house, each, now)) for each in protocol.trial.languages}
    anchors = _anchors(protocol, now.date())
    with app.test_request_context("/"), force_locale(language):
        return render_template(
            "dossier.html",
            protocol=protocol,
            now=now,
            widths=WIDTHS,
            screens=shown,
            texts={each: _texts(protocol, each) for each in protocol.trial.languages},
            anchors=anchors,
            plan=_plan(protocol, anchors),
            wordings=[protocol.wordings[key] for key in sorted(protocol.wordings)],
        )


def _anchors(protocol: Protocol, on: date) -> Mapping[str, date]:
    """The sample patient's days: each anchor ten days after the one before."""
    return {anchor: on + timedelta(days=DAYS_TO_NEXT_ANCHOR * n) for n, anchor in enumerate(protocol.schedule.anchors)}


def _plan(protocol: Protocol, anchors: Mapping[str, date]) -> Plan:
    return scheduler.plan(protocol.schedule, anchors, subject=SAMPLE, zone=protocol.trial.zone)


def _texts(protocol: Protocol, language: str) -> list[Text]:
    phone = next(iter(protocol.sites.values())).phone
    bodies = {
        step.code: render(protocol.schedule, language, step.code, link=LINK, phone=phone, code=CODE_WORD)
        for step in protocol.schedule.ladder.steps
    }
    return [Text(step, body, segments(body).count) for step, body in bodies.items()]
