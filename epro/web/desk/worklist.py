"""The landing page: whom do I call today? And the way to a patient by her subject id."""

from __future__ import annotations

from typing import cast

from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from epro.queries.alerts import open_alerts
from epro.queries.alive import silent
from epro.queries.brought_in import brought_in
from epro.queries.calling import calls, most_urgent
from epro.queries.lost import possibly_lost
from epro.queries.timeline import subjects_like
from epro.queries.worklist import MOST, worklist
from epro.queries.written import written
from epro.web.desk.gate import allowed, may, own_sites, pages, sites_here
from epro.web.desk.inputs import typed
from epro.web.house import house, now, reading
from scheduler import ledger

MOST_TYPED = 40


@pages.get("")
@allowed("desk.enter")
def landing() -> str | Response:
    """The worklist of one's own sites; `?site=` and `?visit=` narrow it. Who may not see patients sees the counts."""
    if not may("patients.read"):
        return redirect(url_for("desk.completion_table"))
    protocol, chosen = house().protocol, chosen_filters()
    sites = [chosen["site"]] if chosen["site"] else own_sites()
    with reading() as connection:
        lists = worklist(connection, protocol, now(), sites=sites, visit=chosen["visit"])
        replies = written(connection, house().cipher, now(), sites=sites)
        alerts = open_alerts(connection, sites=sites)
        lost = possibly_lost(connection, now(), sites=sites)
        quiet, more_quiet = silent(connection, protocol, now(), sites=sites)
        brought = brought_in(connection, now(), sites=sites)
        sending = ledger.health(connection, now())
    ranked = calls(lists, replies, alerts)
    return render_template(
        "desk/worklist.html",
        lists=lists,
        calls=most_urgent(ranked, MOST),
        to_call=len(ranked) + lists.counts["overdue"] - len(lists.overdue),
        asked=len(replies) + len(alerts),
        brought=brought,
        silent=quiet,
        more_silent=more_quiet,
        lost=lost,
        sending=sending,
        sites=sites_here(),
        chosen=chosen,
        at=":".join(value or "" for value in chosen.values()),
    )


@pages.post("/patients/search")
@allowed("patients.read")
def search() -> str | Response:
    """By POST, so that nothing that is typed here by mistake stands in an address."""
    wanted = typed("subject")[:MOST_TYPED]
    with reading() as connection:
        found = subjects_like(connection, wanted, own_sites()) if wanted else []
    same = [subject for subject in found if subject.lower() == wanted.lower()]
    if same or len(found) == 1:
        return redirect(url_for("desk.patient", subject=(same or found)[0]), 303)
    return render_template("desk/search.html", found=found, here=url_for("desk.landing"))


def chosen_filters() -> dict[str, str | None]:
    """The filters of the address. A site or visit that does not exist, or is not hers, is no page."""
    site, visit = request.args.get("site") or None, request.args.get("visit") or None
    if site is not None and site not in sites_here():
        abort(404)
    if visit is not None and visit not in house().protocol.visits:
        abort(404)
    return cast(dict[str, str | None], {"site": site, "visit": visit})
