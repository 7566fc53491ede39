"""What patients were at baseline, as the case report form has it: the covariates that the trial file names.

A value that differs from the one before takes its place, and the difference is listed. An empty cell says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from epro.acts.imports.cells import LOOKS_LIKE_A_DAY, Cells
from epro.acts.imports.files import NEW, Bringing, Kind, Note, Row
from epro.protocol import Protocol, covariates_in, is_number
from epro.refusals import N_
from epro.store.crf import covariates_of
from epro.store.models import CovariateValue

LONGEST_WORD = 60
WAS = N_("was %(was)s, is now %(now)s.")
GIVEN = N_("%(now)s is recorded.")
A_DAY = N_("Excel has made a day of this. Format the column as text and write it again.")
TOO_LONG = N_("Write at most %(longest)s characters.")


def take(bringing: Bringing, rows: Iterable[Cells]) -> Iterator[Row]:
    recorded = covariates_of(bringing.connection, list(bringing.known))
    for cells in rows:
        known = bringing.patient(cells)
        given = _given(bringing.protocol, cells)
        if known is None or cells.wrongs:
            continue
        before = recorded.get(known.subject, {})
        new = {name: value for name, value in given.items() if before.get(name) != value}
        if new:
            with bringing.entry_of(known.subject, "covariates imported") as opened:
                about = {"subject": known.subject, "file": bringing.file}
                opened.insert_all(CovariateValue, [{**about, "name": n, "value": v} for n, v in new.items()])
        notes = [_note(name, before.get(name), value) for name, value in new.items()]
        made = bringing.row(cells, notes)
        yield Row(made.number, made.subject, NEW, made.notes) if new and not before else made


def _note(name: str, was: str | None, now: str) -> Note:
    if was is None:
        return Note(name, GIVEN, {"now": now}, changes=True)
    return Note(name, WAS, {"was": was, "now": now}, changes=True)


def _given(protocol: Protocol, cells: Cells) -> dict[str, str]:
    """Name: value as it is kept, of those that the row has."""
    found: dict[str, str] = {}
    for name, covariate in covariates_in(protocol).items():
        if is_number(covariate):
            number = cells.number(name)
            written = "" if number is None else f"{number:g}" if abs(number) < 1e6 else repr(number)
        else:
            written = _word(cells, name)
        if written:
            found[name] = written
    return found


def _word(cells: Cells, name: str) -> str:
    word = " ".join(cells.text(name).split())
    if len(word) > LONGEST_WORD:
        cells.wrong(name, TOO_LONG, longest=LONGEST_WORD)
    elif LOOKS_LIKE_A_DAY.fullmatch(word):
        cells.wrong(name, A_DAY)
    else:
        return word
    return ""


COVARIATES = Kind(
    "covariates",
    N_("Covariates at baseline"),
    lambda _: ("subject",),
    lambda protocol: tuple(covariates_in(protocol)),
    take,
)
