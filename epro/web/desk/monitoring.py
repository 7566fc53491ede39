"""The page that says how many of the expected forms came, by visit and site."""

from __future__ import annotations

from flask import render_template

from epro.queries.monitoring import completion
from epro.web.desk.gate import allowed, own_sites, pages, sites_here
from epro.web.house import house, now, reading


@pages.get("/completion")
@allowed("completion.read")
def completion_table() -> str:
    with reading() as connection:
        table = completion(connection, house().protocol, now(), sites=own_sites())
    return render_template("desk/completion.html", table=table, sites=sites_here(), now=now())
