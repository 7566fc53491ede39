"""Which requests can somebody make? Every page is opened, and every form on it is one request to try."""

from __future__ import annotations

from collections.abc import Collection
from html.parser import HTMLParser
from urllib.parse import quote, urlencode, urljoin, urlsplit

import requests
from flask import Flask
from werkzeug.exceptions import HTTPException

from tests.scan.scanners import Target

MARK = "*"  # sqlmap's: try what stands before it
NOT_TRIED = frozenset({"csrf_token"})
MOST_PAGES = 150
EXAMPLES = {"email": "a@example.org", "date": "2027-03-01", "tel": "070-174 06 05", "number": "1"}
COMMON = ("value", "key", "code", "reason", "password", "From", "Body", "MessageSid")  # fields of forms no page shows
LEFT_OUT = ("static", "accounts.logout", "arriving.worker")


class Forms(HTMLParser):
    """The links of a page, and its forms: (method, action, fields)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self.forms.append((given.get("method", "get").upper(), given.get("action", ""), {}))
        if tag in ("input", "select", "textarea", "button") and given.get("name") and self.forms:
            usual = EXAMPLES.get(given.get("type", ""), "1")
            self.forms[-1][2].setdefault(given["name"], given.get("value") or usual)


def targets(app: Flask, address: str, session: requests.Session, starts: list[str]) -> dict[str, Target]:
    """`METHOD endpoint`: the request, for everything that is reached from these paths."""
    found: dict[str, Target] = {}
    waiting, seen = list(starts), set(starts)
    for _ in range(MOST_PAGES):
        if not waiting:
            break
        path = waiting.pop(0)
        page = session.get(address + path, timeout=60)
        _keep(app, found, "GET", path, {})
        if "html" not in page.headers.get("Content-Type", ""):
            continue
        here = Forms(page.text)
        for method, action, fields in here.forms:
            _keep(app, found, method, urljoin(page.url, action) if action else page.url, fields)
        for link in here.links:
            there = urljoin(page.url, link)
            name = _endpoint(app, "GET", urlsplit(there).path)
            if not there.startswith(address) or name is None or name[0] in LEFT_OUT or f"GET {name[0]}" in found:
                continue
            asked = there.removeprefix(address).partition("#")[0]
            if asked not in seen:
                seen.add(asked)
                waiting.append(asked)
    return found


def unreached(app: Flask, found: Collection[str], values: dict[str, str], csrf_token: str) -> dict[str, Target]:
    """A made up request for every route that no page led to. values: of the parts of an address, by their names."""
    made: dict[str, Target] = {}
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            name = f"{method} {rule.endpoint}"
            if name in found or rule.endpoint in LEFT_OUT:
                continue
            parts = [f"{values.get(part, '1')}{MARK}" if dynamic else part for dynamic, part in rule._trace]
            path = "".join(parts).removeprefix("|")
            data = {"csrf_token": csrf_token, **dict.fromkeys(COMMON, "1")} if method == "POST" else {}
            if MARK in path or data:
                made[name] = Target(method, path, "&".join(_field(key, value) for key, value in data.items()))
    return made


def _endpoint(app: Flask, method: str, path: str) -> tuple[str, dict[str, object]] | None:
    try:
        endpoint, arguments = app.url_map.bind("127.0.0.1").match(path, method=method)
    except HTTPException:
        return None
    return endpoint, dict(arguments)


def _keep(app: Flask, found: dict[str, Target], method: str, where: str, fields: dict[str, str]) -> None:
    """Keep the first request to each route, with a mark behind each value that it holds."""
    parts = urlsplit(where)
    name = _endpoint(app, method, parts.path)
    if name is None or name[0] in LEFT_OUT or f"{method} {name[0]}" in found:
        return
    path = parts.path
    for value in name[1].values():
        path = path.replace(f"/{quote(str(value))}", f"/{quote(str(value))}{MARK}", 1)
    words = "&".join(_field(key, value) for key, value in fields.items())
    query = words if method == "GET" else parts.query and parts.query + MARK
    data = words if method == "POST" else ""
    if MARK in path + query + data:
        found[f"{method} {name[0]}"] = Target(method, path + (f"?{query}" if query else ""), data)


def _field(name: str, value: str) -> str:
    return urlencode({name: value.replace(MARK, "")}) + ("" if name in NOT_TRIED else MARK)
