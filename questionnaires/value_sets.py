"""What is a health state worth, by which value set?

A value set is a file of its own, so that one that may not be passed on can be added by who has it. None is ever chosen
in silence: an instrument's file names those that come with it, each is a column of its own, and the rest are given by
path.
"""

from pathlib import Path

from pydantic import ValidationError

from questionnaires.definition import Index, Instrument
from questionnaires.located import Document, Fault, Refused, faults_of, read
from questionnaires.parts import Name, Text
from questionnaires.score_consistency import index_contradictions

FOLDER = Path(__file__).parent / "value_sets"


class ValueSet(Index):
    """The file of a value set: an index, and the instrument that it values."""

    instrument: Name
    version: Text


def with_value_set(instrument: Instrument, file: Path | str) -> Instrument:
    """The instrument with one value set more. Raises Refused with every fault of the file, OSError."""
    return _with(instrument, read(Path(file)))


def with_named_value_sets(instrument: Instrument, document: Document) -> Instrument:
    """The instrument with the value sets that its file names: those beside the file, else those of this library.

    Raises Refused.
    """
    for n, code in enumerate(instrument.value_sets):
        name = f"{instrument.id}.{code}.toml"
        file = next((each for each in (document.path.parent / name, FOLDER / name) if each.is_file()), None)
        if file is None:
            known = sorted(each.name for each in FOLDER.glob(f"{instrument.id}.*.toml"))
            cure = f"Put it beside this file; the library has {', '.join(known) or 'none for this instrument'}."
            raise Refused([document.fault(("value_sets", n), f"there is no value set {name}", cure)])
        instrument = _with(instrument, read(file))
    return instrument


def _with(instrument: Instrument, document: Document) -> Instrument:
    try:
        values = ValueSet.model_validate(document.data)
    except ValidationError as error:
        raise Refused(faults_of(error, document)) from None
    faults = _faults(instrument, values, document)
    if faults:
        raise Refused(faults)
    return instrument.model_copy(update={"indices": (*instrument.indices, values)})


def _faults(instrument: Instrument, values: ValueSet, document: Document) -> list[Fault]:
    expected = {"instrument": instrument.id, "version": instrument.version}
    wrong = [key for key, value in expected.items() if getattr(values, key) != value]
    if wrong:
        cure = f"Use a value set made for {instrument.id} {instrument.version}."
        what = f"this is a value set of {values.instrument} {values.version}"
        return [document.fault((wrong[0],), what, cure)]
    if values.code in [score.code for score in instrument.scores]:
        return [document.fault(("code",), f"{instrument.id} has {values.code} already", "Give it a code of its own.")]
    return [document.fault(*each) for each in index_contradictions(instrument, values)]
