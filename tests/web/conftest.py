"""The pages of a small real house, and a browser without a screen: it keeps cookies and sends what a form holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import func, select

from epro.acts import links
from epro.house import House
from epro.store.audit import entry
from epro.store.database import reading, writing
from epro.store.migrating import TABLES
from epro.store.models import Assessment
from epro.web.app import create_app
from tests.epro.conftest import NOW, NURSE, desk, house

__all__ = ["desk", "house"]  # fixtures of the service's own tests


class Templates(BytecodeCache):
    """Each template is compiled once, not once for every application that a test makes."""

    def __init__(self) -> None:
        self.known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.known:
            bucket.bytecode_from_string(self.known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.known[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": Templates()}


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **time: int) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(house: House, clock: Clock) -> Flask:
    return create_app(replace(house, clock=clock))


VOID = frozenset({"input", "meta", "link", "br", "img", "hr"})


class Page(HTMLParser):
    """What a browser without scripts knows of a page: what it shows, and the fields of the form that it shows.

    path: where the page lies; of a document that holds many questions, where the one that it shows is answered.
    """

    def __init__(self, path: str, response) -> None:  # type: ignore[no-untyped-def]
        super().__init__()
        self.path = path
        self.status, self.html, self.headers = response.status_code, response.text, response.headers
        self.fields: dict[str, str] = {}
        self.options: list[str] = []
        self.chosen: str | None = None
        self.language = self.heading = ""
        self.words = ""
        self._open: list[tuple[str, bool]] = []  # tag, and whether it shows
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):  # type: ignore[no-untyped-def]
        given = dict(attrs)
        shows = (not self._open or self._open[-1][1]) and "hidden" not in given and tag not in ("script", "style")
        if tag not in VOID:
            self._open.append((tag, shows))
        if not shows:
            return
        if tag == "html":
            self.language = given["lang"]
        if tag == "form" and given.get("class", "").startswith("item"):
            self.path = given["action"].partition("?")[0]
        if tag == "input" and given["type"] == "hidden":
            self.fields[given["name"]] = given["value"]
        if tag == "input" and given["type"] == "radio" and given["name"] == "value":
            self.options.append(given["value"])
            if "checked" in given:
                self.chosen = given["value"]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][1]:
            self.words += data
            if "h1" in [tag for tag, _ in self._open]:
                self.heading += data.strip()


class Browser:
    """One person's browser."""

    def __init__(self, app: Flask, **headers: str) -> None:
        self.client = app.test_client()
        self.headers = {"Accept-Language": "sv", **headers}

    def open(self, path: str) -> Page:
        return self._arrived(self.client.get(path, headers=self.headers, follow_redirects=True))

    def press(self, page: Page, path: str | None = None, **fields: str) -> Page:
        """Send the form of a page, with what was filled in."""
        asked = {"data": {**page.fields, **fields}, "headers": self.headers, "follow_redirects": True}
        return self._arrived(self.client.post(path or page.path, **asked))

    def begin(self, token: str) -> Page:
        return self.press(self.open(f"/p/{token}"))

    def answer(self, first: int, last: int, value: str = "2") -> Page:
        """Answer these questions, one after the other."""
        for n in range(first, last + 1):
            page = self.press(self.open(f"/form/{n}"), value=value)
        return page

    def send(self) -> Page:
        return self.press(self.open("/form/review"), "/form/submit")

    def _arrived(self, response) -> Page:  # type: ignore[no-untyped-def]
        return Page(response.request.path, response)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def link(house: House) -> Callable[..., str]:
    """The token of a new link to a patient's baseline."""

    def link(subject: str = "UME-001", mode: str = links.SELF) -> str:
        with writing(house.engine) as connection:
            asked = (Assessment.subject == subject, Assessment.visit == "BL")
            assessment = connection.execute(select(Assessment.id).where(*asked)).scalar_one()
            if mode == links.TABLET:
                with entry(connection, chain=subject[:3], action="tablet handed over", by=NURSE, at=NOW) as opened:
                    return links.issue(opened, assessment, links.TABLET, NOW)
            token = links.new_token()
            row = {"token_hash": links.hash_of(token), "assessment": assessment, "issued_at": NOW}
            links.issue_for_texts(connection, [{**row, "message_key": f"{subject}/BL/invite/sms/1", "contact": None}])
            return token

    return link


@pytest.fixture
def token(desk, link) -> str:  # type: ignore[no-untyped-def]
    """The link that a patient enrolled today has in her phone."""
    desk.enrol()
    return link()


def rows_of(house: House) -> dict[str, int]:
    """How many rows every table holds."""
    tables = [table for metadata in TABLES for table in metadata.sorted_tables]
    with reading(house.engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables
        }


def contents_of(house: House) -> dict[str, dict[tuple, dict]]:  # type: ignore[type-arg]
    """Every row of every table, by table and primary key."""
    tables = [table for metadata in TABLES for table in metadata.sorted_tables]
    with reading(house.engine) as connection:
        return {
            table.name: {
                tuple(row[column.name] for column in table.primary_key.columns): dict(row)
                for row in connection.execute(select(table)).mappings()
            }
            for table in tables
        }
