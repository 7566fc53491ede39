"""What stands in a wording file, and does it fit its instrument, its trial and the day?"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, ValidationError

from questionnaires.definition import Instrument, Response
from questionnaires.located import Document, Fault, Key, Refused, faults_of
from questionnaires.parts import Code, Name, Part, Text

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]


class Manifest(Part):
    """What a wording is, where it comes from, and who may use it until when.

    source: the document that the words come from. edition: counted up when a wording that has been answered changes.
    licence, licence_until, study: the reference of the permission, its last day, the study it was given for; a wording
    that is not redistributable has a licence and a study.
    """

    instrument: Name
    version: Text
    language: Language
    pack: Name
    edition: Annotated[StrictInt, Field(ge=1)] = 1
    source: Text
    redistributable: StrictBool
    licence: Text | None = None
    licence_until: date | None = None
    study: Text | None = None
    demonstration: StrictBool = False
    banner: Text | None = None
    title: Text


class WordingFile(Part):
    """A wording file.

    option: of each response set one label per option, in the order of its codes; of numbers between two ends, what
    these ends mean; text has none.
    """

    wording: Manifest
    recall: Annotated[dict[Name, Text], Field(default_factory=dict)]
    option: dict[Name, tuple[Text, ...]]
    item: dict[Code, Text]


def wording_file_of(document: Document) -> WordingFile:
    """The wording that a document holds. Raises Refused where its shape is wrong."""
    try:
        return WordingFile.model_validate(document.data)
    except ValidationError as error:
        raise Refused(faults_of(error, document)) from None


def labelled_codes(response: Response) -> tuple[int, ...]:
    """The codes that need a label: all options, both ends of a range of numbers, none of text."""
    return response.between or response.codes


def misfits(words: WordingFile, document: Document, instrument: Instrument) -> Iterator[Fault]:
    """What does not fit the instrument, and what the manifest owes."""
    yield from _other_instrument(words.wording, document, instrument)
    yield from _manifest_faults(words.wording, document)
    yield from _set_faults(words, document, instrument)
    yield from _option_faults(words, document, instrument)


def unfit_for_use(
    manifest: Manifest, document: Document, *, language: str, pack: str, study: str | None, on: date | None
) -> Iterator[Fault]:
    """Why the wording may not be used where it is asked for; study, on: None = not judged."""
    expected = {"language": language, "pack": pack}
    if manifest.study is not None and study is not None:
        expected["study"] = study
    for key, value in expected.items():
        if getattr(manifest, key) != value:
            yield _other(document, manifest, key, value)
    if on is not None and manifest.licence_until is not None and on > manifest.licence_until:
        yield document.fault(
            ("wording", "licence_until"),
            f"the licence {manifest.licence or 'of this wording'} ended on {manifest.licence_until}, before {on}",
            "Ask its owner to prolong it, and write the new day here.",
        )


def _other_instrument(manifest: Manifest, document: Document, instrument: Instrument) -> Iterator[Fault]:
    for key, value in {"instrument": instrument.id, "version": instrument.version}.items():
        if getattr(manifest, key) != value:
            yield _other(document, manifest, key, value)


def _other(document: Document, manifest: Manifest, key: str, value: str) -> Fault:
    return document.fault(
        ("wording", key),
        f"this file is for {key} {getattr(manifest, key)}, but {value} is asked for",
        f'Use the file made for {value}; write {key} = "{value}" only if its words are.',
    )


def _manifest_faults(manifest: Manifest, document: Document) -> Iterator[Fault]:
    if manifest.demonstration and manifest.banner is None:
        yield document.fault(
            ("wording", "demonstration"), "a demonstration has no banner", "Say in `banner` what these words are not."
        )
    for key in ("licence", "study"):
        if not manifest.redistributable and getattr(manifest, key) is None:
            yield document.fault(
                ("wording", "redistributable"),
                f"a wording that may not be passed on names no {key}",
                {
                    "licence": 'Add the reference of the permission: licence = "…".',
                    "study": 'Add the study that the permission is for: study = "…", as [trial] code has it.',
                }[key],
            )


def _set_faults(words: WordingFile, document: Document, instrument: Instrument) -> Iterator[Fault]:
    """Parts that the instrument has and the file has not, or the other way round."""
    labelled = {name: response for name, response in instrument.responses.items() if labelled_codes(response)}
    parts: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("item", words.item, {item.code: item for item in instrument.items}),
        ("recall", words.recall, instrument.recalls),
        ("option", words.option, labelled),
    ]
    for table, given, needed in parts:
        name = f"{instrument.id} {instrument.version}"
        for code in needed.keys() - given.keys():
            yield document.fault((table,), f"[{table}] lacks {code}", f"Add the words of {code}, which {name} has.")
        for code in given.keys() - needed.keys():
            keys: tuple[Key, ...] = (table, code)
            yield document.fault(keys, f"[{table}] has {code}, which {name} has not", "Take it away.")


def _option_faults(words: WordingFile, document: Document, instrument: Instrument) -> Iterator[Fault]:
    for name, labels in words.option.items():
        if name not in instrument.responses:
            continue
        codes = labelled_codes(instrument.responses[name])
        if codes and len(labels) != len(codes):
            yield document.fault(
                ("option", name),
                f"{name} has {len(labels)} labels for {len(codes)} options",
                f"Give one label for each of {' '.join(map(str, codes))}, in that order.",
            )
        for n in range(len(labels)):
            if labels[n] in labels[:n]:
                yield document.fault(
                    ("option", name, n), f"{name} has two options called “{labels[n]}”", "Give each its own label."
                )
