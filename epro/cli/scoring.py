"""`epro score`: a file of answers in, scores out, and how many are missing for which reason."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from rich.console import Console
from rich.table import Table

import questionnaires
from questionnaires.cells import inert
from questionnaires.located import Fault
from questionnaires.value_sets import with_value_set

if TYPE_CHECKING:
    import pandas as pd

    from questionnaires.definition import Instrument
    from questionnaires.readers import Answers

FAULTS_SHOWN = 50
LINES_NAMED = 20
FORMS_AT_ONCE = 50_000

SCORES_NAMED = 8

Reasons = dict[str, Counter[str | None]]  # scale: why its value is missing; None = it is there


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--instrument", "name", help="Its id, such as qlq-c30, or the path of its file.")
@click.option("--list", "only_list", is_flag=True, help="List the instruments, and which of them are scored.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write; standard output else.")
@click.option("--long", is_flag=True, help="Write a line for each score, with reason and flag, not one for each form.")
@click.option(
    "--invalid",
    "on_invalid",
    type=click.Choice(["refuse", "missing"]),
    default="refuse",
    show_default=True,
    help="What to do with an answer that is none of its item's options: refuse the file, or leave the answer out.",
)
@click.option("--missing", multiple=True, metavar="CODE", help="A code that stands for no answer, such as 99.")
@click.option("--text-numbers", is_flag=True, help='Take the text "2" of Excel and Parquet files for the number 2.')
@click.option("--form", multiple=True, metavar="COLUMN", help="In a long file: a column that tells forms apart.")
@click.option("--value-set", "value_sets", multiple=True, type=click.Path(path_type=Path), help="The file of one more.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def score(
    file: Path | None,
    name: str | None,
    only_list: bool,
    out: Path | None,
    long: bool,
    on_invalid: str,
    missing: tuple[str, ...],
    text_numbers: bool,
    form: tuple[str, ...],
    value_sets: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Score a file of answers: CSV (comma, semicolon or tab), XLSX or Parquet; one form a line, or one answer a line.

    Example: epro score answers.csv --instrument qlq-c30 --out scores.csv
    """
    if only_list:
        _list()
        return
    if file is None or name is None:
        raise click.UsageError("Give a file of answers and --instrument, or --list.")
    if out is not None and out.resolve() == file.resolve():
        raise click.ClickException(f"{out} holds the answers. Let the scores go to another file.")
    from questionnaires.readers import read_answers
    from questionnaires.scoring import refuse_unscored

    instrument = questionnaires.load(name)
    refuse_unscored(instrument)
    for value_set in value_sets:
        instrument = with_value_set(instrument, value_set)
    with Console(stderr=True).status(f"Reading {file.name}"):
        answers = read_answers(file, instrument, missing=missing, numbers_in_text=text_numbers, form=form)
    with Console(stderr=True).status(f"Scoring {len(answers.items)} forms"):
        table, reasons, left_out = _scored(answers, instrument, long=long, on_invalid=on_invalid, as_json=as_json)
    _write(table, out)
    _say(_summary(answers, instrument, reasons, left_out), out, as_json)


def _scored(
    answers: Answers, instrument: Instrument, *, long: bool, on_invalid: str, as_json: bool
) -> tuple[pd.DataFrame, Reasons, list[str]]:
    """The table to write, why values are missing, and the answers that were left out."""
    import pandas as pd

    scores = questionnaires.score(answers.items, instrument, on_invalid="missing")
    invalid = [answers.fault(cell) for cell in scores.attrs["invalid"]]
    if invalid and on_invalid == "refuse":
        _refuse(invalid, answers, instrument, as_json=as_json)
    reasons: Reasons = {code: Counter() for code in scores.columns}
    explained = []
    for first in range(0, max(len(answers.items), 1), FORMS_AT_ONCE):
        part = questionnaires.explain(answers.items.iloc[first : first + FORMS_AT_ONCE], instrument)
        for scale, reason in zip(part["scale"], part["reason"], strict=True):
            reasons[scale][reason] += 1
        if long:
            explained.append(part.set_index("row"))
    told = pd.concat(explained) if long else scores
    ours = [*told.columns, "instrument", "version"]
    forms = answers.forms.rename(columns={name: f"{name} (file)" for name in ours})
    table = forms.join(told, how="right").assign(instrument=instrument.id, version=instrument.version)
    return table, reasons, [str(fault).partition("\n")[0] for fault in invalid]


def _refuse(faults: list[Fault], answers: Answers, instrument: Instrument, *, as_json: bool) -> NoReturn:
    """Every answer that is none of its item's options, by line; those of one item and one kind together."""
    if as_json:
        told = [{"file": fault.file, "line": fault.line, "what": fault.what, "cure": fault.cure} for fault in faults]
        click.echo(json.dumps({"ok": False, "faults": told}, ensure_ascii=False))
        raise SystemExit(1)
    alike: dict[str, list[int]] = {}
    for fault in faults:
        alike.setdefault(fault.what, []).append(fault.line)
    for what, lines in alike.items():
        also = ", ".join(map(str, lines[1:LINES_NAMED]))
        more = f" and {len(lines) - LINES_NAMED} more" if len(lines) > LINES_NAMED else ""
        click.echo(f"{answers.file}:{lines[0]}: {what}{f' (also lines {also}{more})' if also else ''}", err=True)
    click.echo(f"\nNothing was scored: {len(faults)} of the answers cannot be. Correct them, or:", err=True)
    for hint in _hints(answers, instrument):
        click.echo(f"  {hint}", err=True)
    raise SystemExit(1)


def _hints(answers: Answers, instrument: Instrument) -> Iterator[str]:
    if answers.typed and any(answers.items[column].map(_is_number_as_text).any() for column in answers.items):
        yield 'the numbers are stored as text: add --text-numbers to take "2" for 2'
    if _counts_from_zero(answers, instrument):
        yield "the answers look as if the lowest option were 0: add 1 to each, as this instrument begins with 1"
    yield "a code such as 99 that stands for no answer: name it with --missing 99"
    yield "leave them out and score the rest, with a list of what was left out: --invalid missing"


def _is_number_as_text(cell: object) -> bool:
    return isinstance(cell, str) and cell.strip().lstrip("-").isdigit()


def _counts_from_zero(answers: Answers, instrument: Instrument) -> bool:
    """Where options begin with 1, some answers are 0 and none is the highest: so it looks when coded from 0."""
    from_one = {
        code: instrument.options(code) for code in map(str, answers.items) if instrument.options(code)[:1] == (1,)
    }
    zeros = any((answers.items[code] == 0).any() for code in from_one)
    return zeros and not any((answers.items[code] == options[-1]).any() for code, options in from_one.items())


def _write(table: pd.DataFrame, out: Path | None) -> None:
    """CSV, or Parquet where the name says so; every figure is written in full, and no text as a formula."""
    words: dict[str, Any] = {str(name): table[name].map(inert) for name in table.select_dtypes(["object", "string"])}
    if out is None:
        table.assign(**words).to_csv(sys.stdout, index=False)
    elif out.suffix.lower() in (".parquet", ".pq"):
        table.to_parquet(out, index=False)
    else:
        table.assign(**words).to_csv(out, index=False, encoding="utf-8")


def _summary(answers: Answers, instrument: Instrument, reasons: Reasons, left_out: list[str]) -> dict[str, object]:
    return {
        "file": answers.file,
        "instrument": instrument.id,
        "version": instrument.version,
        "forms": len(answers.items),
        "notes": list(answers.notes),
        "left_out": left_out,
        "scales": {
            code: {"scored": counted[None], "missing": {str(why): many for why, many in counted.items() if why}}
            for code, counted in reasons.items()
        },
        "unchecked": [scale.code for scale in instrument.scales if not scale.checked and scale.code in reasons],
    }


def _say(summary: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """The summary, on standard output, or beside the scores that are written there."""
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False), err=out is None)
        return
    console = Console(stderr=out is None, highlight=False, soft_wrap=True)
    console.print(f"{summary['forms']} forms of {summary['instrument']} {summary['version']} in {summary['file']}")
    for note in summary["notes"]:
        console.print(f"  {note}")
    table = Table("Scale", "Scored", "Missing", "Why", box=None)
    for code, each in summary["scales"].items():
        why = ", ".join(f"{reason} {many}" for reason, many in each["missing"].items())
        table.add_row(code, str(each["scored"]), str(sum(each["missing"].values())), why)
    console.print(table)
    for line in summary["left_out"][:FAULTS_SHOWN]:
        console.print(f"left out: {line}")
    if len(summary["left_out"]) > FAULTS_SHOWN:
        console.print(f"left out: {len(summary['left_out']) - FAULTS_SHOWN} more; --json names them all")
    if summary["unchecked"]:
        console.print(f"To be checked with a manual before use: {', '.join(summary['unchecked'])}")
    if out is not None:
        console.print(f"Scores: {out}")


def _list() -> None:
    for each in questionnaires.available():
        click.echo(f"{each.id}: {each.title}, version {each.version}, {len(each.items)} items")
        codes = ", ".join(score.code for score in each.scores[:SCORES_NAMED])
        more = len(each.scores) - SCORES_NAMED
        said = f"scores {codes}" if codes else f"not scored: {each.not_scored}"
        click.echo(f"    {said}{f' and {more} more' if more > 0 else ''}")


commands = {"score": score}
