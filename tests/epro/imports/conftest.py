"""A trial office that sends files to a small house."""

import io
from dataclasses import replace

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from epro.acts.imports.files import Brought, bring_in
from epro.acts.imports.kinds import KINDS
from epro.store.audit import Actor
from epro.store.database import reading, writing
from tests.epro.conftest import NOW, desk, epro, house

__all__ = ["desk", "epro", "house"]
OFFICE = Actor("office@example.org", "trial_office", "desk", "request-1")
PATIENT = {
    "subject": "UME-001",
    "site": "UME",
    "language": "sv",
    "consented_on": "2027-02-01",
    "eligible": "yes",
    "texts_allowed": "yes",
    "er": "pos",
    "metastases": "1",
    "phone": "070-174 06 05",
    "randomised_on": "2027-02-08",
    "arm": "surgery",
}


def patient(**changes):
    return {**PATIENT, **changes}


def csv_of(rows, separator=",", encoding="utf-8"):
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [separator.join(names), *(separator.join(str(row.get(name, "")) for name in names) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode(encoding)


def xlsx_of(rows):
    book = Workbook()
    names = list(dict.fromkeys(name for row in rows for name in row))
    book.active.append(names)
    for row in rows:
        book.active.append([row.get(name) for name in names])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


class Office:
    """What the trial office does, and what stands in the house afterwards."""

    def __init__(self, house):
        self.house = house

    def send(self, rows, kind="patients", *, dry=False, now=NOW) -> Brought:
        raw = rows if isinstance(rows, bytes) else csv_of(rows)
        with writing(self.house.engine) as connection:
            return bring_in(
                connection, self.house.protocol, self.house.cipher, KINDS[kind], raw, by=OFFICE, now=now, dry=dry
            )

    def count(self, model, *where):
        with reading(self.house.engine) as connection:
            return connection.execute(select(func.count()).select_from(model).where(*where)).scalar_one()

    def all(self, *columns):
        with reading(self.house.engine) as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(columns[0]))]


@pytest.fixture
def office(house):
    return Office(house)


@pytest.fixture
def another_trial(house):
    """The same house under a trial file that says something else."""

    def changed(**sections):
        made = house.protocol.sections.model_copy(update=sections)
        return Office(replace(house, protocol=replace(house.protocol, sections=made)))

    return changed


def places(brought):
    """Where something is wrong: "row, column"."""
    return [f"{getattr(wrong, 'row', '')}, {wrong.field}" for wrong in brought.wrongs]


def said(brought):
    return "\n".join(map(str, brought.wrongs))
