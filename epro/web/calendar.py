"""A nurse's calendar as other programs read it (iCalendar, RFC 5545): subject ids and days, nothing else."""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, abort
from flask_babel import force_locale, gettext

from epro.acts import calendars, tokens
from epro.acts.looking import looked
from epro.acts.users import AT_OWN_SITES
from epro.queries.agenda import DUE, Day, agenda, holder_of
from epro.store.audit import Actor
from epro.web.house import house, now, reading, writing

pages = Blueprint("calendar", __name__)


@pages.get("/calendar/<token>.ics")
def feed(token: str) -> Response:
    """The days of her own sites, as they are now. An address that is unknown, ended or not hers any more is no page."""
    protocol = house().protocol
    with reading() as connection:
        user = tokens.holder(connection, calendars.PURPOSE, token, now())
        holder = holder_of(connection, user) if user is not None else None
        if holder is None or holder.role not in AT_OWN_SITES:
            abort(404)
        days = agenda(connection, protocol, now(), sites=holder.sites)
    with writing() as connection:
        by = Actor(holder.email, holder.role, "calendar")
        looked(connection, "calendar.feed", {day.subject for day in days}, by=by, now=now())
    with force_locale(protocol.language):
        body = _written(days)
    return Response(body, mimetype="text/calendar")


def _written(days: list[Day]) -> bytes:
    from icalendar import Calendar, Event  # only this page needs it

    code = house().protocol.trial.code
    written = Calendar()
    written.add("prodid", f"-//epro//{code}//")
    written.add("version", "2.0")
    written.add("x-wr-calname", code)
    for day in days:
        event = Event()
        what = gettext("due") if day.kind == DUE else gettext("last day")
        event.add("summary", f"{day.subject} {day.visit}: {what}")
        event.add("uid", hashlib.sha256(f"{day.subject}/{day.visit}/{day.kind}".encode()).hexdigest()[:32])
        event.add("dtstart", day.on)
        event.add("dtstamp", now())
        event.add("transp", "TRANSPARENT")
        written.add_component(event)
    body: bytes = written.to_ical()
    return body
