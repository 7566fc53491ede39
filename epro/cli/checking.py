"""`epro check`: the trial as a person would read it, or each fault with file, line and cure."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

import questionnaires
from epro.checking import check as check_file
from epro.checking import most_segments, sizes_of, warnings_of
from epro.opening import system_clock
from epro.protocol import Protocol, read_document, what_live_lacks
from questionnaires.definition import Instrument
from questionnaires.located import Refused
from scheduler.linting import Around


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sender", envvar="EPRO_TWILIO_SENDER", default="", help="What texts come from: a number or a name.")
@click.option("--address", envvar="EPRO_PUBLIC_URL", default="https://epro.example", help="What links begin with.")
@click.option("--mail-sender", envvar="EPRO_SMTP_SENDER", default="", help="What mails come from.")
@click.option("--json", "as_json", is_flag=True, help="Print faults, or the trial's outline, as JSON.")
def check(file: Path, sender: str, address: str, mail_sender: str, as_json: bool) -> None:
    """Read a trial file, or the description of a questionnaire, and say what it means, or what is wrong with it.

    Of a trial's texts it also says what they give away and what they cost.

    Example: epro check epro/trials/breclim-2.toml
    """
    try:
        if _describes_a_questionnaire(file):
            _say(questionnaires.load(file), as_json=as_json)
            return
        protocol = check_file(file, on=system_clock().date())
    except Refused as refused:
        if as_json:
            faults = [{"file": f.file, "line": f.line, "what": f.what, "cure": f.cure} for f in refused.faults]
            click.echo(json.dumps({"ok": False, "faults": faults}, ensure_ascii=False))
        else:
            click.echo(str(refused), err=True)
        raise SystemExit(1) from None
    lacks = what_live_lacks(protocol)
    around = Around(address.rstrip("/"), sender, mails=protocol.schedule.uses_email, mail_sender=mail_sender)
    warnings = warnings_of(protocol, around)
    if as_json:
        said = [{"file": w.file, "line": w.line, "what": w.what, "cure": w.cure} for w in warnings]
        told = {"ok": not lacks, "missing_for_live": lacks, "warnings": said, "texts": _costs(protocol, around.address)}
        click.echo(json.dumps({**told, **_outline(protocol)}, ensure_ascii=False))
    else:
        _print(protocol)
        _print_costs(protocol, around.address)
        for warning in warnings:
            click.echo(f"warning: {warning}", err=True)
        for thing in lacks:
            click.echo(f"live = true is refused for now; still missing: {thing}", err=True)
    raise SystemExit(1 if lacks else 0)


def _describes_a_questionnaire(file: Path) -> bool:
    data = read_document(file).data
    return "trial" not in data and {"item", "scale", "response"} & data.keys() != set()


def _say(instrument: Instrument, *, as_json: bool) -> None:
    scores = {score.code: score.higher_is for score in instrument.scores}
    gated = [item.code for item in instrument.items if item.asked_when is not None]
    if as_json:
        told = {"instrument": instrument.id, "version": instrument.version, "scores": scores, "gated": gated}
        click.echo(json.dumps({"ok": True, "items": len(instrument.items), **told}, ensure_ascii=False))
        return
    click.echo(f"{instrument.title}, version {instrument.version} ({instrument.id}): {len(instrument.items)} items")
    for item in instrument.items:
        if item.asked_when is not None:
            answers = " ".join(map(str, item.asked_when.answers))
            click.echo(f"  {item.code} is asked when {item.asked_when.item} is {answers}, or has no answer")
    for score in instrument.scores:
        lowest, highest = instrument.bounds(score.code)
        click.echo(f"  {score.code}: {score.label['en']}, {lowest:g} to {highest:g}, higher is {score.higher_is}")
    if instrument.not_scored is not None:
        click.echo(f"  not scored: {instrument.not_scored}")


def _outline(protocol: Protocol) -> dict[str, object]:
    return {
        "trial": protocol.trial.code,
        "registration": protocol.trial.registration,
        "arms": list(protocol.arms),
        "sites": list(protocol.sites),
        "visits": {code: list(visit.instruments) for code, visit in protocol.schedule.visits.items()},
        "sha256": protocol.sha256,
    }


def _costs(protocol: Protocol, address: str) -> dict[str, object]:
    cost, most = protocol.sections.cost, most_segments(protocol, address)
    return {
        "sizes": [asdict(sized) for sized in sizes_of(protocol, address)],
        "most_segments_a_patient": most,
        "currency": cost.currency if cost else None,
        "most_a_patient": round(most * cost.segment, 2) if cost else None,
        "most_for_the_trial": round(most * cost.segment * protocol.trial.planned_subjects, 2) if cost else None,
    }


def _print_costs(protocol: Protocol, address: str) -> None:
    for sized in sizes_of(protocol, address):
        plural = "" if sized.segments == 1 else "s"
        click.echo(f"The text {sized.language}.{sized.text} takes {sized.segments} segment{plural} ({sized.alphabet}).")
    cost, most = protocol.sections.cost, most_segments(protocol, address)
    if cost is None:
        click.echo(f"At most {most} segments go to a patient; [cost] would say what they cost.")
        return
    a_patient, patients = most * cost.segment, protocol.trial.planned_subjects
    click.echo(
        f"At most {most} segments go to a patient, at {cost.segment:.2f} {cost.currency}: {a_patient:.2f} a patient, "
        f"{a_patient * patients:.2f} {cost.currency} for {patients}."
    )


def _print(protocol: Protocol) -> None:
    console = Console(highlight=False, soft_wrap=True)
    trial = protocol.trial
    console.print(f"[bold]{trial.title}[/bold]")
    console.print(
        f"{trial.registration}; {trial.planned_subjects} patients; {'LIVE' if trial.live else 'not live'}; "
        f"days and hours in {trial.zone}; languages {', '.join(trial.languages)}"
    )
    console.print("\n[bold]Arms[/bold]")
    for code, words in protocol.arms.items():
        console.print(f"  {code}: {words}")
    console.print("\n[bold]Sites[/bold]")
    for code, site in protocol.sites.items():
        console.print(f"  {code}: {site.name}")
    console.print("\n[bold]Strata[/bold]")
    for stratum in protocol.strata.values():
        console.print(f"  {stratum.label}: {' / '.join(stratum.levels)}")
    console.print(f"\n[bold]Eligibility[/bold] ({protocol.eligibility.source})")
    for sign, criteria in (("+", protocol.eligibility.inclusion), ("-", protocol.eligibility.exclusion)):
        for criterion in criteria:
            console.print(f"  {sign} {criterion}")
    console.print()
    tables = Console(highlight=False, width=max(console.width, 110))
    tables.print(_visits(protocol))
    tables.print(_ladder(protocol))
    quiet = protocol.schedule.quiet
    if quiet:
        console.print(f"No text leaves between {quiet.start:%H:%M} and {quiet.end:%H:%M} of the patient's clock.")
    for (code, language), wording in protocol.wordings.items():
        kind = "free words" if wording.redistributable else "licensed words"
        kind = "a demonstration, not the licensed questionnaire" if wording.demonstration else kind
        console.print(f"{code} is asked in {language} from pack {protocol.sections.wording[code]}: {kind}.")


def _visits(protocol: Protocol) -> Table:
    table = Table("Visit", "Month", "Due", "May be answered", "Questionnaires", title="Visits", title_justify="left")
    for code, visit in protocol.schedule.visits.items():
        plural = "" if visit.offset.n == 1 else "s"
        table.add_row(
            code,
            f"{visit.month:g}",
            f"{visit.offset.n} {visit.offset.unit}{plural} after {visit.anchor}"
            if visit.offset.n
            else f"on the day of {visit.anchor}",
            f"from {visit.opens_before} days before to {visit.closes_after} days after",
            ", ".join(visit.instruments),
        )
    return table


def _ladder(protocol: Protocol) -> Table:
    table = Table(
        "Step",
        "When",
        "By",
        "Text in the first language",
        title="Texts of each visit, until it is answered",
        title_justify="left",
    )
    for step in protocol.schedule.ladder.steps:
        when = "on the due day" if step.day == 0 else f"{step.day} days after the due day"
        table.add_row(
            step.code, f"{when}, {step.time:%H:%M}", step.channel, protocol.schedule.texts[protocol.language][step.text]
        )
    return table


commands = {"check": check}
