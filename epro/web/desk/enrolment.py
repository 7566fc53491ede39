"""How does a patient get into the trial, by one form?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from epro.acts import patients
from epro.acts.enrolment import EARLIEST, Enrolment, wrong_date, wrongs_of
from epro.acts.previewing import Foreseen, foresee
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.web.desk.gate import allowed, may_see_arm, pages, sites_here
from epro.web.desk.inputs import by_field, day, phone_twice, typed
from epro.web.desk.words import language_name
from epro.web.house import house, now, reading, staff, writing

YES = "yes"


@pages.get("/patients/new")
@allowed("patients.enrol")
def enrolment() -> str:
    return _form({})


@pages.post("/patients/new")
@allowed("patients.enrol")
def enrol() -> tuple[str, int] | Response:
    standing = house()
    try:
        asked = _asked(standing.protocol)
        with writing() as connection:
            patients.enrol(connection, standing.protocol, standing.cipher, asked, by=staff(), now=now())
    except Refusal as refusal:
        return _form(by_field(refusal.wrongs)), 422
    return redirect(url_for("desk.patient", subject=asked.subject), 303)


@pages.post("/patients/new/dates")
@allowed("patients.enrol")
def preview_dates() -> tuple[str, int] | str:
    """The same form with every date that would follow; nothing is saved. The page's script asks as days are typed."""
    protocol, wrongs = house().protocol, list[Wrong]()
    consented_on = day("consented_on", wrongs, missing=N_("Give the day of consent, as 2027-03-01."))
    randomised_on = day("randomised_on", wrongs)
    for name, on, earliest in (
        ("consented_on", consented_on, EARLIEST),
        ("randomised_on", randomised_on, consented_on or EARLIEST),
    ):
        wrongs += wrong_date(protocol, name, on, now(), earliest) if on else ()
    if wrongs or consented_on is None:
        return _form(by_field(wrongs), previewed=True), 422
    asked = Enrolment(
        subject=typed("subject"),
        site=typed("site"),
        language=typed("language") or protocol.language,
        strata={},
        consented_on=consented_on,
        eligible=True,
        texts_allowed=typed("texts_allowed") == YES,
        phone=typed("phone") or None,
        email=typed("email") or None,
        randomised_on=randomised_on,
    )
    with reading() as connection:
        return _form({}, foreseen=foresee(connection, protocol, asked, now=now()), previewed=True)


def _form(errors: dict[str, list[str]], *, foreseen: Sequence[Foreseen] = (), previewed: bool = False) -> str:
    """previewed: the page was asked for the dates, and not to enrol."""
    protocol = house().protocol
    return render_template(
        "desk/enrolment.html",
        errors=errors,
        foreseen=foreseen,
        previewed=previewed,
        here=url_for("desk.enrolment"),
        sites=sites_here(),
        shows_arm=any(may_see_arm(protocol, site) for site in sites_here()),
        languages_asked=[(code, language_name(code)) for code in protocol.trial.languages],
        strata=[(code, stratum.label) for code, stratum in protocol.strata.items()],
        typed=request.form,
        criteria=_criteria(protocol),
    )


def _criteria(protocol: Protocol) -> list[tuple[str, str, bool]]:
    """The checklist: a field for each criterion, its words, and whether it includes or excludes."""
    eligibility = protocol.eligibility
    return [(f"included_{n}", words, True) for n, words in enumerate(eligibility.inclusion)] + [
        (f"excluded_{n}", words, False) for n, words in enumerate(eligibility.exclusion)
    ]


def _asked(protocol: Protocol) -> Enrolment:
    """What the form says. Raises Refusal with every fault of the page's own and of the act's."""
    wrongs: list[Wrong] = []
    consented_on = day("consented_on", wrongs, missing=N_("Give the day of consent, as 2027-03-01."))
    randomised_on = day("randomised_on", wrongs)
    if typed("site") not in sites_here():
        wrongs.append(Wrong("site", N_("Choose one of your own sites.")))
    if typed("texts_allowed") not in ("yes", "no"):
        wrongs.append(Wrong("texts_allowed", N_("Say whether texts are permitted.")))
    asked = Enrolment(
        subject=typed("subject").upper(),
        site=typed("site"),
        language=typed("language"),
        strata={code: typed(code) for code in protocol.strata},
        consented_on=consented_on or date.min,
        eligible=all(typed(field) == YES for field, _, _ in _criteria(protocol)),
        texts_allowed=typed("texts_allowed") == YES,
        phone=phone_twice(wrongs) or None,
        second_step=typed("second_step") or None,
        email=typed("email") or None,
        randomised_on=randomised_on,
        arm=typed("arm") or None,
    )
    if wrongs:
        raise Refusal([*wrongs, *_also(protocol, asked, {wrong.field for wrong in wrongs})])
    return asked


def _also(protocol: Protocol, asked: Enrolment, told: set[str]) -> list[Wrong]:
    """What the act would refuse besides, so that everything is said at once."""
    with reading() as connection:
        wrongs = wrongs_of(connection, protocol, asked, now())
        return [wrong for wrong in wrongs if wrong.field not in told]
