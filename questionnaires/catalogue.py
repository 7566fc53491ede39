"""Which instruments are there, and where does the file of one stand?"""

from pathlib import Path

from pydantic import ValidationError

from questionnaires.consistency import contradictions
from questionnaires.definition import Instrument
from questionnaires.located import Document, Refused, faults_of, read

FOLDER = Path(__file__).parent / "instruments"


class UnknownInstrument(LookupError):
    """No instrument has this id, and no file this path."""

    def __init__(self, asked: str, known: list[str]) -> None:
        self.asked, self.known = asked, known
        super().__init__(asked, known)

    def __str__(self) -> str:
        return (
            f"there is no instrument {self.asked}.\n  Give one of {', '.join(self.known)}, or the path of a .toml file."
        )


def load(id_or_path: str | Path) -> Instrument:
    """An instrument of the catalogue by its id ("qlq-c30"), or any other by the path of its file.

    Raises UnknownInstrument, or Refused with the line of every fault in the file.
    """
    return instrument_of(read(file_of(id_or_path)))


def available() -> list[Instrument]:
    """Every instrument of the catalogue, by id."""
    return [load(file) for file in sorted(FOLDER.glob("*.toml"))]


def file_of(id_or_path: str | Path) -> Path:
    """The file that describes an instrument. Raises UnknownInstrument."""
    given = Path(id_or_path)
    file = given if given.suffix == ".toml" else FOLDER / f"{id_or_path}.toml"
    if not file.is_file():
        raise UnknownInstrument(str(id_or_path), sorted(known.stem for known in FOLDER.glob("*.toml")))
    return file


def instrument_of(document: Document) -> Instrument:
    """The instrument that a document describes. Raises Refused with every fault found."""
    try:
        instrument = Instrument.model_validate(document.data)
    except ValidationError as error:
        raise Refused(faults_of(error, document)) from None
    faults = [document.fault(*each) for each in contradictions(instrument)]
    if faults:
        raise Refused(faults)
    return instrument
