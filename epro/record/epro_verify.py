"""Has this archive been changed since it was written, and who changed an answer, when and why?

Needs Python 3.8 or newer and nothing else: no network, no database, no other package.

    python epro_verify.py                      check the archive that this file lies in
    python epro_verify.py FOLDER               check another one
    python epro_verify.py FOLDER --anchors F   beside anchors that were kept elsewhere
    python epro_verify.py --who UME-007 q12    who said or changed item q12 of patient UME-007

Exit code 0: everything agrees. 1: something does not, and the first bad row of each kind is named. 2: no archive.

The trail (trail/entries.jsonl) holds one entry a line, in chains, one chain a site:
    {"entry":[chain, seq, id, at, actor, role, channel, request, subject, action, why, changes],
     "previous":P,"hash":H}
with H = SHA-256(P followed by the text of the array after "entry":), P = the hash before it in its chain, at first 64
zeros. A change is [table, row, column, old digest, new digest]; "*" as column means that the row was added. A digest is
SHA-256(salt followed by value), "why" is the digest of the reason. Salts and values stand in trail/values.jsonl, so
that a value can be redacted and the chain still verifies. An anchor says how many entries a chain had on a day, and
the hash of its last: kept elsewhere, it shows a tail that was cut off and a history that was written anew.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Sequence

GENESIS = "0" * 64
BEGIN, MIDDLE, END = '{"entry":', ',"previous":"', '"}'
AFTER_ENTRY = len(MIDDLE) + 64 + len('","hash":"') + 64 + len(END)
REDACTED = "value redacted"
BEGINNING = (0, GENESIS)
BOUND = 1 << 256
INERT = "'"  # stands before a text that a spreadsheet would take for a formula
csv.field_size_limit(1 << 30)


class Chains:
    """Follows every chain of a trail, entry by entry, and keeps the first fault of each."""

    def __init__(self, anchors: Iterable[dict[str, Any]] = ()) -> None:
        self.heads: dict[str, tuple[int, str]] = {}  # chain: (seq, hash)
        self.counted = 0
        self.faults: list[str] = []
        self.broken: set[str] = set()
        self.redacted: set[str] = set()  # digests whose redaction an entry tells of
        self.sum_of_digests = 0
        self._anchors = self._by_place(anchors)

    def take(self, chain: str, seq: int, previous: str, hash_: str, text: str, digests: Iterable[str] = ()) -> None:
        """One entry: its place, the very text that was hashed, and the digests of the values that it speaks of."""
        self.counted += 1
        for digest in digests:
            self.sum_of_digests += int(digest, 16)
        last, head = self.heads.get(chain, BEGINNING)
        if chain not in self.broken:
            fits = seq == last + 1 and previous == head and (chain, seq) not in self._anchors
            if not (fits and hashlib.sha256((previous + text).encode()).hexdigest() == hash_):
                wrong = self._wrong(last, head, seq, previous, hash_, text) or self._wrong_anchor(chain, seq, hash_)
                if wrong:
                    self._fault(chain, seq, wrong)
            self.heads[chain] = (seq, hash_)

    def redact(self, changes: Iterable[Any]) -> None:
        """The changes of an entry that tells which values were emptied."""
        self.redacted.update(change[1] for change in changes if change[0] == "audit_value")

    def finish(self) -> list[str]:
        """What only the end can show: a tail that was cut off."""
        for (chain, count), known in sorted(self._anchors.items()):
            last = self.heads.get(chain, BEGINNING)[0]
            if last < count and chain not in self.broken:
                at = known[0][1]
                self._fault(chain, last + 1, f"the tail is cut: on {at} there were {count} entries, now {last}")
        return self.faults

    def _wrong(self, last: int, head: str, seq: int, previous: str, hash_: str, text: str) -> str | None:
        if seq > last + 1:
            return f"stands where entry {last + 1} should: entries are missing or out of order"
        if seq <= last:
            return f"stands after entry {last}: the order is broken, or the history forks here"
        if hashlib.sha256((previous + text).encode()).hexdigest() != hash_:
            return "was edited: its words do not give its hash"
        if previous != head:
            return f"does not follow entry {last}: an entry was exchanged, or the history forks here"
        return None

    def _wrong_anchor(self, chain: str, seq: int, hash_: str) -> str | None:
        for head, at in self._anchors.get((chain, seq), ()):
            if head != hash_:
                return f"has another hash than the anchor of {at}: the history was written anew"
        return None

    def _fault(self, chain: str, seq: int, what: str) -> None:
        self.broken.add(chain)
        self.faults.append(f"trail: {chain}, entry {seq}: {what}")

    def _by_place(self, anchors: Iterable[dict[str, Any]]) -> dict[tuple[str, int], list[tuple[str, str]]]:
        """(chain, count): [(head, day)]. Two anchors of one place that disagree are a fork."""
        places: dict[tuple[str, int], list[tuple[str, str]]] = {}
        for anchor in anchors:
            place = (anchor["chain"], anchor["count"])
            known = places.setdefault(place, [])
            if known and known[0][0] != anchor["head"]:
                self.faults.append(
                    f"anchors: {place[0]}, entry {place[1]}: the anchors of {known[0][1]} and {anchor['at']} "
                    "disagree: there were two histories"
                )
            known.append((anchor["head"], anchor["at"]))
        return places


class Values:
    """Holds every value against its digest, and all of them against what the trail speaks of."""

    def __init__(self, chains: Chains) -> None:
        self.chains = chains
        self.faults: list[str] = []
        self.counted = self.emptied = self.sum_of_digests = 0

    def take(self, digest: str, salt: str | None, value: str | None) -> None:
        self.counted += 1
        self.sum_of_digests += int(digest, 16)
        if value is None:
            self.emptied += 1
            if digest not in self.chains.redacted:
                self._fault(f"{digest[:12]}… is empty, and no entry tells who redacted it")
        elif hashlib.sha256(((salt or "") + value).encode()).hexdigest() != digest:
            self._fault(f"{digest[:12]}… was edited: salt and value do not give it")

    def agree(self) -> bool:
        """Whether exactly the values that the trail speaks of are there."""
        return (self.sum_of_digests - self.chains.sum_of_digests) % BOUND == 0

    def _fault(self, what: str) -> None:
        if len(self.faults) < 10:
            self.faults.append(f"values: {what}")


def verify(folder: Path, anchors: Iterable[dict[str, Any]] = ()) -> tuple[list[str], dict[str, int]]:
    """Everything that is wrong with an archive, in words, and how much was looked at."""
    faults = list(wrong_files(folder))
    known = list(anchors)
    heads: list[dict[str, Any]] = []
    reading(faults, "trail/heads.jsonl", lambda: heads.extend(read_lines(folder / "trail" / "heads.jsonl")))
    reading(faults, "trail/anchors.jsonl", lambda: known.extend(read_lines(folder / "trail" / "anchors.jsonl")))
    chains, told = Chains([*known, *heads]), Told(folder)
    reading(faults, "trail/entries.jsonl", lambda: follow(folder, chains, told))
    values = Values(chains)
    reading(faults, "trail/values.jsonl", lambda: hold(folder, values, told))
    faults += chains.finish() + values.faults
    if not values.agree():
        faults.append(f"values: {told.first_missing() or 'there are values that no entry speaks of'}")
    reading(faults, "the data", lambda: faults.extend(told.differences(read_manifest(folder)["tables"])))
    counts = {"entries": chains.counted, "values": values.counted, "redacted": values.emptied}
    return faults, {**counts, "rows": told.compared, "anchors": len(known)}


def reading(faults: list[str], what: str, do: Callable[[], object]) -> None:
    """Do it; whatever in a file is not as it should be is a fault, and no reason to stop."""
    try:
        do()
    except (ValueError, LookupError, TypeError, AttributeError, OSError, csv.Error) as error:
        faults.append(f"files: {what} cannot be read as it should ({type(error).__name__}: {error})")


def follow(folder: Path, chains: Chains, told: Told | None) -> None:
    """Every entry of the trail, past the chains and, where rows are to be compared, past what is told of them."""
    for line in lines_of(folder / "trail" / "entries.jsonl"):
        read = json.loads(line)
        entry = read["entry"]
        text = line[len(BEGIN) : -AFTER_ENTRY]
        entry[11] = with_reason(entry[2], entry[10], entry[11])
        digests = [digest for change in entry[11] for digest in (change[3], change[4]) if digest]
        chains.take(entry[0], entry[1], read["previous"], read["hash"], text, digests)
        if entry[9] == REDACTED:
            chains.redact(entry[11])
        if told:
            told.take(entry)


def with_reason(id_: str, why: str | None, changes: list[Any]) -> list[Any]:
    """The changes of an entry, and its own reason as if it were one of them."""
    return [*changes, ["audit", id_, "reason", None, why]] if why else changes


def hold(folder: Path, values: Values, told: Told | None) -> None:
    for line in read_lines(folder / "trail" / "values.jsonl"):
        values.take(line["digest"], line["salt"], line["value"])
        if told:
            told.value(line["digest"], line["value"])


def read_manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def wrong_files(folder: Path) -> Iterator[str]:
    """Files whose checksum is not what checksums.sha256 says, that are missing, or that it does not name."""
    named: set[str] = set()
    for line in lines_of(folder / "checksums.sha256"):
        digest, _, name = line.partition("  ")
        named.add(name)
        file = folder / name
        if not file.is_file():
            yield f"files: {name} is missing"
        elif sha256_of(file) != digest:
            yield f"files: {name} was changed: its checksum is another"
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in named and name != "checksums.sha256" and "__pycache__" not in name:
            yield f"files: {name} was added"


class Told:
    """Every row as the trail tells it, to be held against the rows of the data files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compared = 0
        self._rows: dict[
            tuple[str, str], dict[str, str | None]
        ] = {}  # (table, row): {column: digest}; "*" = all columns at the start
        self._since: dict[tuple[str, str, str], str] = {}  # when each of these was told: two chains may tell of one row
        self._digests: dict[str, str] = {}
        self._values: dict[str, str | None] = {}

    def take(self, entry: Any) -> None:
        for table, row, column, old, new in entry[11]:
            if entry[3] >= self._since.get((table, row, column), ""):
                self._since[table, row, column] = entry[3]
                self._rows.setdefault((table, row), {})[column] = new
            for digest in (old, new):
                if digest:
                    self._digests[digest] = f"{entry[0]}, entry {entry[1]}"

    def value(self, digest: str, value: str | None) -> None:
        self._values[digest] = value

    def first_missing(self) -> str | None:
        for digest, place in self._digests.items():
            if digest not in self._values:
                return f"{digest[:12]}… is missing, of which {place} speaks"
        return None

    def differences(self, tables: dict[str, Any]) -> Iterator[str]:
        for name, table in sorted(tables.items()):
            found = {"/".join(row[key] for key in table["key"]): row for row in rows_of(self.folder, name)}
            if len(found) != table["rows"]:
                yield f"data: {name}.csv holds {len(found)} rows, the manifest says {table['rows']}"
            if table["told"]:
                yield from self._differences(name, found)

    def _differences(self, name: str, found: dict[str, dict[str, str]]) -> Iterator[str]:
        told = {row: columns for (table, row), columns in self._rows.items() if table == name and "*" in columns}
        for row in told.keys() - found.keys():
            yield f"data: {name}.csv: row {row} is missing, of which the trail speaks"
        for row in sorted(found.keys() - told.keys()):
            if found[row].get("entry"):
                yield f"data: {name}.csv: row {row} was added: the trail does not speak of it"
        for row in told.keys() & found.keys():
            self.compared += 1
            expected = self._state(told[row])
            for column, cell in found[row].items():
                if column in expected and expected[column] is not Ellipsis and as_cell(expected[column]) != cell:
                    yield f"data: {name}.csv: row {row}, {column}: the trail tells another value"

    def _state(self, columns: dict[str, str | None]) -> dict[str, Any]:
        """column: value as the trail tells it last; Ellipsis = not told, or redacted."""
        start = self._values.get(columns["*"] or "")
        told = json.loads(start) if start is not None else {}
        state: dict[str, Any] = told if isinstance(told, dict) else {}
        for column, digest in columns.items():
            if column != "*":
                value = self._values.get(digest) if digest else "null"
                state[column] = Ellipsis if value is None else json.loads(value)
        return state


def as_cell(value: Any) -> str:
    """A value as a data file writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return str(value)


def rows_of(folder: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of a data file, with the apostrophe that keeps a text from being a formula taken away."""
    with open(folder / "data" / f"{table}.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {name: cell[1:] if cell.startswith(INERT) else cell for name, cell in row.items()}


def who(folder: Path, subject: str, item: str) -> Iterator[str]:
    """Every version of an item of a patient, as lines to print: when, who, what, why."""
    visits = {row["id"]: row["visit"] for row in rows_of(folder, "assessment") if row["subject"] == subject}
    forms = {row["id"]: row for row in rows_of(folder, "form") if row["assessment"] in visits}
    instrument, _, code = item.rpartition(".")
    rows = {row["id"]: row for row in rows_of(folder, "answer") if row["form"] in forms}
    versions: dict[str, list[Any]] = {}
    for line in lines_of(folder / "trail" / "entries.jsonl"):
        entry = json.loads(line)["entry"]
        for table, key, column, _, _ in entry[11] if entry[8] == subject else ():
            answer = rows.get(key)
            if (table, column) != ("answer", "*") or answer is None or answer["item"].lower() != code.lower():
                continue
            form = forms[answer["form"]]
            if instrument in ("", form["instrument"]):
                place = f"{subject}, {visits[form['assessment']]}, {form['instrument']} {answer['item']}"
                versions.setdefault(place, []).append((entry, answer))
    for place, history in versions.items():
        yield place
        before = None
        for entry, answer in history:
            said = answer["value"] or answer["text"] or answer["state"]
            was = "" if before is None else f"{before} -> "
            why = f"  because: {answer['reason']}" if answer["reason"] else ""
            at, by, role, channel = entry[3].replace("T", " "), entry[4], entry[5], entry[6]
            yield f"  {at}  {by} ({role}, {channel}; said by: {answer['by']}, {answer['mode']})  {was}{said}{why}"
            before = said


def lines_of(file: Path) -> Iterator[str]:
    if file.is_file():
        with open(file, encoding="utf-8", newline="\n") as lines:
            for line in lines:
                yield line.rstrip("\n")


def read_lines(file: Path) -> Iterator[Any]:
    """The JSON values of a file, one a line."""
    return (json.loads(line) for line in lines_of(file))


def sha256_of(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        for block in iter(lambda: content.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--anchors", type=Path, help="anchors that were kept elsewhere (JSON lines)")
    parser.add_argument("--who", nargs=2, metavar=("SUBJECT", "ITEM"), help="who said or changed an answer, and why")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    asked = parser.parse_args(arguments)
    if not (asked.folder / "trail" / "entries.jsonl").is_file():
        print(f"{asked.folder} is not an archive: it holds no trail/entries.jsonl", file=sys.stderr)
        return 2
    if asked.who:
        found = list(who(asked.folder, *asked.who))
        print("\n".join(found) if found else "The trail holds no such answer.")
        return 0 if found else 1
    faults, counts = verify(asked.folder, list(read_lines(asked.anchors)) if asked.anchors else ())
    if asked.json:
        print(json.dumps({"ok": not faults, "faults": faults, **counts}))
    else:
        print(", ".join(f"{number} {what}" for what, number in counts.items()))
        if not counts["anchors"]:
            print("No anchors: a tail that was cut off or a history written anew cannot be seen.")
        print("\n".join(faults) if faults else "Everything agrees.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
