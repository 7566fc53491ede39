"""The page on which a nurse makes, and ends, the address of her calendar."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from epro.acts import calendars
from epro.web.desk.gate import allowed, pages
from epro.web.house import house, now, reading, staff, writing


@pages.get("/calendar")
@allowed("calendar.have")
def calendar() -> str:
    return _page()


@pages.post("/calendar")
@allowed("calendar.have")
def make_calendar() -> str:
    """The address is shown this once."""
    with writing() as connection:
        token = calendars.make(connection, current_user.id, by=staff(), now=now())
    return _page(f"{house().settings.address}{url_for('calendar.feed', token=token)}")


@pages.post("/calendar/end")
@allowed("calendar.have")
def end_calendar() -> Response:
    with writing() as connection:
        calendars.end(connection, current_user.id, by=staff(), now=now())
    flash(gettext("The address opens nothing any more."))
    return redirect(url_for("desk.calendar"), 303)


def _page(address: str | None = None) -> str:
    with reading() as connection:
        until = calendars.until(connection, current_user.id, now())
    return render_template("desk/calendar.html", address=address, until=until)
