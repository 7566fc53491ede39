"""Many patients at once, from a CSV file of the trial office: all of them, or none and every reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime

from sqlalchemy import Connection

from epro.acts.enrolment import Enrolment
from epro.acts.patients import enrol
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import Actor
from epro.store.contacts import Cipher

REQUIRED = ("subject", "site", "language", "consented_on", "eligible", "texts_allowed")
OPTIONAL = ("phone", "email", "second_step", "randomised_on", "arm", "zone")
YES, NO = ("yes", "ja", "true", "1"), ("no", "nej", "false", "0", "")


def columns(protocol: Protocol) -> tuple[str, ...]:
    """The columns of an enrolment file, in order."""
    return (*REQUIRED, *protocol.strata, *OPTIONAL)


def enrol_all(
    connection: Connection,
    protocol: Protocol,
    cipher: Cipher,
    text: str,
    *,
    by: Actor,
    now: datetime,
    sites: Collection[str] | None = None,
) -> list[str]:
    """Enrol every row of a CSV text, in the caller's transaction. Returns the subject ids.

    sites: those for which this person may enrol; None = every site. Raises Refusal that names every bad row; the
    caller's transaction must then be undone as a whole.
    """
    rows = list(_rows(protocol, text))
    wrongs: list[Wrong] = []
    for number, row in rows:
        try:
            if sites is not None and row["site"] not in sites:
                raise Refusal([Wrong("site", N_("This is not one of your own sites."))])
            enrol(connection, protocol, cipher, _enrolment(protocol, row), by=by, now=now)
        except Refusal as refusal:
            wrongs += [Wrong(f"line {number}, {wrong.field}", wrong.message, wrong.values) for wrong in refusal.wrongs]
    if wrongs:
        raise Refusal(wrongs)
    return [row["subject"] for _, row in rows]


def _rows(protocol: Protocol, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row with its line number. Commas or semicolons, with or without a byte-order mark."""
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
    there = [name.strip() for name in reader.fieldnames or []]
    missing = [name for name in (*REQUIRED, *protocol.strata) if name not in there]
    unknown = [name for name in there if name not in columns(protocol)]
    if missing or unknown:
        raise Refusal(
            [Wrong("line 1", N_("the column %(name)s is missing."), {"name": name}) for name in missing]
            + [
                Wrong(
                    "line 1",
                    N_("no column is called %(name)s; they are %(names)s."),
                    {"name": name, "names": ", ".join(columns(protocol))},
                )
                for name in unknown
            ]
        )
    reader.fieldnames = there
    for row in reader:
        yield reader.line_num, {name: (value or "").strip() for name, value in row.items() if name}


def _enrolment(protocol: Protocol, row: Mapping[str, str]) -> Enrolment:
    wrongs: list[Wrong] = []

    def day(name: str) -> date | None:
        try:
            return date.fromisoformat(row[name]) if row.get(name) else None
        except ValueError:
            wrongs.append(Wrong(name, N_("Write the date as 2027-03-01.")))
            return None

    def yes(name: str) -> bool:
        answer = row.get(name, "").lower()
        if answer not in (*YES, *NO):
            wrongs.append(Wrong(name, N_("Write yes or no.")))
        return answer in YES

    consented_on = day("consented_on")
    if consented_on is None and not wrongs:
        wrongs.append(Wrong("consented_on", N_("Give the day of consent, as 2027-03-01.")))
    asked = {
        "eligible": yes("eligible"),
        "texts_allowed": yes("texts_allowed"),
        "randomised_on": day("randomised_on"),
    }
    if wrongs or consented_on is None:
        raise Refusal(wrongs)
    return Enrolment(
        subject=row["subject"],
        site=row["site"],
        language=row["language"],
        strata={code: row[code] for code in protocol.strata},
        consented_on=consented_on,
        phone=row.get("phone") or None,
        second_step=row.get("second_step") or None,
        email=row.get("email") or None,
        arm=row.get("arm") or None,
        zone=row.get("zone") or None,
        **asked,  # type: ignore[arg-type]
    )
