"""`epro wording`: files of words to fill in, to check, to import, to list."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from pathlib import Path

import click

import questionnaires
from epro.opening import system_clock
from questionnaires.definition import Instrument
from questionnaires.grids import grid_of
from questionnaires.located import Refused, read
from questionnaires.packs import COLUMNS, Listed, checked, listed, places, words_of, written
from questionnaires.wording import FOLDER
from questionnaires.wording_file import misfits, unfit_for_use, wording_file_of

PACKS = Path("wordings")  # where a trial keeps its own, unless told otherwise
DAY = click.DateTime(["%Y-%m-%d"])

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=PACKS, show_default=True
)
instruments_option = click.option(
    "--instruments", type=click.Path(path_type=Path, exists=True, file_okay=False), help="A folder of own definitions."
)


@click.group()
def wording() -> None:
    """Words of questionnaires: write an empty file, check one, import a table, list what is there.

    Example: epro wording new qlq-c30 sv --pack licensed
    """


@wording.command()
@click.argument("instrument")
@click.argument("language")
@click.option("--pack", default="licensed", show_default=True, help="A name for words that belong together.")
@click.option("--table", is_flag=True, help="Write a CSV file for a spreadsheet instead, to be imported afterwards.")
@folder_option
@instruments_option
def new(instrument: str, language: str, pack: str, table: bool, folder: Path, instruments: Path | None) -> None:
    """Write an empty wording file, with a place for every text of the instrument.

    Example: epro wording new qlq-c30 sv
    """
    definition = questionnaires.load(instrument, beside=instruments)
    path = _path(folder, pack, definition, language).with_suffix(".csv" if table else ".toml")
    if table:
        _write_new(path, _empty_table(definition))
        click.echo(f"{path}: fill in the column text, then: epro wording import {path} {definition.id} {language} …")
        return
    manifest = _manifest(definition, language, pack, source="", redistributable=False, licence="", study="")
    _write_new(path, written(definition, manifest, {}))
    click.echo(f"{path}: fill in what stands between empty quotation marks, then: epro wording check {path}")


@wording.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--study", help="The trial that will use it, by its code.")
@click.option("--on", type=DAY, help="Judge the licence on this day; today unless given.")
@instruments_option
def check(file: Path, study: str | None, on: datetime | None, instruments: Path | None) -> None:
    """Say whether a wording file fits its instrument and may be used; else every fault by line.

    Example: epro wording check wordings/licensed/qlq-c30.sv.toml --study BreCLIM-2
    """
    document = read(file)
    words = wording_file_of(document)
    manifest = words.wording
    instrument = questionnaires.load(manifest.instrument, beside=instruments)
    language = file.name.removesuffix(".toml").removeprefix(f"{manifest.instrument}.")
    day = (on or system_clock()).date()
    use = unfit_for_use(manifest, document, language=language, pack=file.resolve().parent.name, study=study, on=day)
    faults = [*misfits(words, document, instrument), *use]
    if faults:
        raise Refused(faults)
    click.echo(f"{file}: {_said(Listed(file, manifest, ()))}; {len(words.item)} items; SHA-256 {document.sha256}")


@wording.command("import")
@click.argument("table", type=click.Path(path_type=Path))
@click.argument("instrument")
@click.argument("language")
@click.option("--pack", default="licensed", show_default=True)
@click.option("--source", required=True, help="The document that the words come from.")
@click.option("--redistributable/--not-redistributable", default=False, show_default=True)
@click.option("--licence", help="The reference of the permission.")
@click.option("--licence-until", type=DAY, help="Its last day.")
@click.option("--study", help="The study that the permission is for.")
@click.option("--edition", default=1, show_default=True, help="Count up when words that were answered change.")
@folder_option
@instruments_option
def import_words(
    table: Path,
    instrument: str,
    language: str,
    pack: str,
    folder: Path,
    instruments: Path | None,
    licence_until: datetime | None,
    **manifest: object,
) -> None:
    """Make a wording file of a table (CSV or XLSX) with the columns part, code, text.

    Example: epro wording import words.xlsx qlq-c30 sv --source "Swedish v3.0" --licence A-123 --study BreCLIM-2
    """
    if not manifest["redistributable"] and not (manifest["licence"] and manifest["study"]):
        raise click.UsageError("Give --licence and --study, or --redistributable if the words may be passed on.")
    definition = questionnaires.load(instrument, beside=instruments)
    words = words_of(grid_of(table), definition)
    ends_on = licence_until.date() if licence_until else None
    text = written(definition, _manifest(definition, language, pack, licence_until=ends_on, **manifest), words)
    path = _path(folder, pack, definition, language).with_suffix(".toml")
    checked(text, path, definition)
    _write_new(path, text)
    click.echo(f"{path}: {len(definition.items)} items. Check it with: epro wording check {path}")


@wording.command("list")
@click.option("--on", type=DAY, help="Judge licences on this day; today unless given.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@folder_option
@instruments_option
def list_packs(on: datetime | None, as_json: bool, folder: Path, instruments: Path | None) -> None:
    """List the wordings that are there, those of epro itself and those of a folder, and whether they may be used.

    Example: epro wording list --folder wordings
    """
    known = {each.id: each for each in questionnaires.available()}
    own = sorted(instruments.glob("*.toml")) if instruments else []
    known |= {each.id: each for each in map(questionnaires.load, own)}
    found = listed([FOLDER, folder], known, on=(on or system_clock()).date())
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found], ensure_ascii=False))
        return
    for each in found:
        manifest = each.manifest
        name = f"{manifest.instrument} {manifest.version}, {manifest.language}" if manifest else each.file.name
        click.echo(f"{name}, pack {each.file.parent.name}: {_said(each)}")
        click.echo(f"    {each.file}")


def _path(folder: Path, pack: str, instrument: Instrument, language: str) -> Path:
    return folder / pack / f"{instrument.id}.{language}.toml"


def _manifest(instrument: Instrument, language: str, pack: str, **rest: object) -> dict[str, object]:
    return {"instrument": instrument.id, "version": instrument.version, "language": language, "pack": pack, **rest}


def _write_new(path: Path, text: str) -> None:
    if path.exists():
        raise click.ClickException(f"{path} is there already. Take it away, or choose another --pack or --folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _empty_table(instrument: Instrument) -> str:
    from io import StringIO

    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((*place, "") for place in places(instrument))
    return "\ufeff" + table.getvalue()  # the mark by which a spreadsheet knows UTF-8


def _said(each: Listed) -> str:
    if each.faults:
        return f"NOT USABLE: {each.faults[0].what}" + (f" (and {len(each.faults) - 1} more)" * (len(each.faults) > 1))
    manifest = each.manifest
    assert manifest is not None
    kind = "a demonstration" if manifest.demonstration else f"edition {manifest.edition}"
    licence = f", licence {manifest.licence}" if manifest.licence else ""
    until = f" until {manifest.licence_until}" if manifest.licence_until else ""
    passed_on = "" if manifest.redistributable else ", not to be passed on"
    return f"{kind}{licence}{until}{passed_on}"


def _as_json(each: Listed) -> dict[str, object]:
    return {
        "file": str(each.file),
        "manifest": each.manifest.model_dump(mode="json") if each.manifest else None,
        "faults": [{"file": f.file, "line": f.line, "what": f.what, "cure": f.cure} for f in each.faults],
    }


commands = {"wording": wording}
