"""Who may open which route? Every route of the service stands here, by its endpoint; a route that does not keeps the
service from starting.

A route of the desk takes the ability named here; which roles have it says `desk.gate.ROLES_WITH`. No page of a library
is served: signing in is by our own pages alone.
"""

from __future__ import annotations

from flask import Flask

ANYBODY = "anybody"
PATIENT = "who holds a patient's link"
CARRIER = "the carrier, by its signature"
SIGNING_IN = "staff who sign in"
HALFWAY = "staff who have given the first step"
MEMBER = "any member of staff, of her own account"
OPEN = frozenset({ANYBODY, PATIENT, CARRIER, SIGNING_IN, HALFWAY, MEMBER})

AUDIENCES: dict[str, str] = {
    "static": ANYBODY,
}


class UnlistedRoute(RuntimeError):
    """A route has no audience, or another than it says beside itself."""


def check(app: Flask) -> None:
    """Raises UnlistedRoute, which names every route whose audience is missing or in doubt."""
    served = {rule.endpoint for rule in app.url_map.iter_rules()}
    wrongs = [
        f"{endpoint}: {wrong}"
        for endpoint in sorted(served | set(AUDIENCES))
        if (wrong := _wrong(app, endpoint, served))
    ]
    if wrongs:
        raise UnlistedRoute("epro/web/audiences.py does not agree with the routes:\n" + "\n".join(wrongs))


def _wrong(app: Flask, endpoint: str, served: set[str]) -> str | None:
    if endpoint not in served:
        return "no such route; take it out"
    listed = AUDIENCES.get(endpoint)
    if listed is None:
        return "not listed; say there who may open it"
    ability = getattr(app.view_functions[endpoint], "ability", None)
    if (None if listed in OPEN else listed) != ability:
        return f"listed for {listed!r}, while the route itself takes {ability!r}"
    if endpoint.startswith("desk.") and listed in OPEN:
        return "a route of the desk takes an ability"
    return None
