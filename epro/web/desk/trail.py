"""One patient's audit trail: filtered on the page, whole as CSV and JSON, with who reviewed it."""

from __future__ import annotations

import json
from datetime import date
from itertools import groupby

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as Answer

from epro.acts import reviews
from epro.queries.timeline import site_of
from epro.queries.trail import COLUMNS, Change, Wanted, trail_of
from epro.refusals import Refusal
from epro.store.audit import canonical
from epro.web.desk.acts import act, by_whom
from epro.web.desk.gate import allowed, may_see_arm, pages
from epro.web.desk.inputs import by_field, typed
from epro.web.house import house, now, reading, staff, writing
from questionnaires.cells import as_csv

HIDDEN = "–"  # stands for an arm that this person may not know
MOST_SHOWN = 100  # entries on the page; the files hold all


@pages.get("/patients/<subject>/trail")
@allowed("trail.read")
def trail(subject: str) -> str:
    return _page(subject, {})


@pages.get("/patients/<subject>/trail.csv")
@allowed("trail.read")
def trail_as_csv(subject: str) -> Response:
    rows = [[_cell(change, name) for name in COLUMNS] for change in _changes(subject, _wanted())]
    return _file(as_csv(COLUMNS, rows), "text/csv; charset=utf-8", f"{subject}-trail.csv")


@pages.get("/patients/<subject>/trail.json")
@allowed("trail.read")
def trail_as_json(subject: str) -> Response:
    rows = [{name: _cell(change, name) for name in COLUMNS} for change in _changes(subject, _wanted())]
    return _file(json.dumps(rows, ensure_ascii=False, indent=1), "application/json", f"{subject}-trail.json")


@pages.post("/patients/<subject>/trail/review")
@allowed("trail.review")
def review_trail(subject: str) -> tuple[str, int] | Answer:
    try:
        with writing() as connection:
            reviews.review(connection, subject, found=typed("found"), by=staff(), now=now())
    except Refusal as refusal:
        return _page(subject, by_field(refusal.wrongs)), 400
    flash(gettext("Your review stands in the trail."))
    return redirect(url_for("desk.trail", subject=subject), 303)


def _page(subject: str, errors: dict[str, list[str]]) -> str:
    every = _changes(subject, Wanted())
    wanted = _wanted()
    kept = [change for change in every if wanted.takes(change, house().protocol.zone)]
    entries = [list(group) for _, group in groupby(reversed(kept), key=lambda change: (change.chain, change.seq))]
    return render_template(
        "desk/trail.html",
        subject=subject,
        entries=entries[:MOST_SHOWN],
        count=len(entries),
        chosen=request.args,
        act=act,
        by_whom=by_whom,
        actors=sorted({change.actor for change in every}),
        actions=sorted({change.action for change in every}),
        fields=sorted({change.field for change in every if change.field}),
        filters={name: value for name, value in request.args.items() if value},
        errors=errors,
    )


def _changes(subject: str, wanted: Wanted) -> list[Change]:
    zone = house().protocol.zone
    with reading() as connection:
        site = site_of(connection, subject) or abort(404)
        return [_without_arm(change, site) for change in trail_of(connection, subject) if wanted.takes(change, zone)]


def _without_arm(change: Change, site: str) -> Change:
    if change.table != "allocation" or change.field != "arm" or may_see_arm(house().protocol, site):
        return change
    return Change(**{**change.__dict__, "old": change.old and HIDDEN, "new": HIDDEN})


def _wanted() -> Wanted:
    given = request.args
    return Wanted(
        from_on=_day(given.get("from")),
        until_on=_day(given.get("until")),
        actor=given.get("actor") or None,
        action=given.get("action") or None,
        field=given.get("field") or None,
    )


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        abort(400)


def _cell(change: Change, name: str) -> object:
    value = getattr(change, name)
    return json.loads(canonical(value))


def _file(text: str, kind: str, name: str) -> Response:
    return Response(text, mimetype=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
