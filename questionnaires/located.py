"""Where in a TOML file does a value stand, and how is a fault there told to a person?"""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError
    from tree_sitter import Node

Key = str | int
KeyPath = tuple[Key, ...]

LONGEST_VALUE_SHOWN = 40  # characters; longer values are named, not repeated


@dataclass(frozen=True)
class Fault:
    """What is wrong at one line of a file, and what would be right."""

    file: str
    line: int
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}\n  {self.cure}"


class Refused(ValueError):
    """A file that cannot be used, with every fault found in it, in the order of its lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


@dataclass(frozen=True)
class Document:
    """A TOML file: its data, and the line of every key in it.

    sha256: of the file's bytes, as read.
    """

    path: Path
    text: str
    data: dict[str, Any]
    sha256: str

    def line(self, keys: Sequence[Key]) -> int:
        """The line (counted from 1) of a key path such as ("visit", "M3", "offset", "n") or ("item", 0).

        What is not in the file gives the line of the nearest thing around it that is.
        """
        path = tuple(keys)
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, keys: Sequence[Key], what: str, cure: str) -> Fault:
        """A fault at a key path of this file."""
        return Fault(self.path.name, self.line(keys), what, cure)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return _lines_of(self.text)


def read(path: Path | str) -> Document:
    """The document in a file. Raises Refused when it is not UTF-8 or not TOML, OSError when it cannot be read."""
    path = Path(path)
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")  # some editors put a byte order mark first
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        fault = Fault(path.name, line, "this line is not UTF-8", "Save the file with the encoding UTF-8.")
        raise Refused([fault]) from None
    return _document(text, path, hashlib.sha256(raw).hexdigest())


def parse(text: str, path: Path | str) -> Document:
    """The document in a text; `path` names it in faults. Raises Refused, with its line, when it is not TOML."""
    return _document(text, Path(path), hashlib.sha256(text.encode()).hexdigest())


def faults_of(error: "ValidationError", document: Document, prefix: Sequence[Key] = ()) -> list[Fault]:
    """What pydantic found, as faults of the document.

    prefix: where in the document the validated data stand. A validator that knows the cure gives it as
    `PydanticCustomError(kind, what, {"cure": …})`, or as a second line of its ValueError.
    """
    faults = []
    details = error.errors(include_url=False)
    for detail in details:
        if any(detail["loc"] == other["loc"][: len(detail["loc"])] != other["loc"] for other in details):
            continue  # the list around a faulty part; pydantic may call it too short, having left that part out
        keys = _keys_in_file((*prefix, *detail["loc"]), document.data)
        what, cure = _in_words(_name_of(keys), detail["type"], detail["msg"], detail["input"], detail.get("ctx", {}))
        faults.append(document.fault(keys, what, cure))
    return faults


def _document(text: str, path: Path, sha256: str) -> Document:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused([_syntax_fault(str(error), text, path)]) from None
    return Document(path, text, data, sha256)


def _syntax_fault(message: str, text: str, path: Path) -> Fault:
    what, _, place = message.rpartition(" (at ")
    at_line = re.match(r"line (\d+)", place)  # otherwise "end of document"
    line = int(at_line[1]) if at_line else max(1, len(text.rstrip().splitlines()))
    return Fault(path.name, line, f"this is not TOML: {what}", "Correct this line, or the one before it.")


def _lines_of(text: str) -> dict[KeyPath, int]:
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    tree = Parser(Language(tree_sitter_toml.language())).parse(text.encode())
    lines: dict[KeyPath, int] = {}
    for path, line, named_itself in _positions(tree.root_node):
        if named_itself:
            lines[path] = line
        else:
            lines.setdefault(path, line)
    return lines


def _positions(root: "Node") -> Iterator[tuple[KeyPath, int, bool]]:
    """Every key path, its line, and whether it is named there or only passed on the way to a longer one."""
    table_sizes: dict[KeyPath, int] = {}  # of the arrays of tables met so far
    for node in root.named_children:
        if node.type == "pair":
            yield from _pair_positions(node, ())
        elif node.type in ("table", "table_array_element"):
            table = _resolved(_keys(node.named_children[0]), table_sizes)
            if node.type == "table_array_element":
                table_sizes[table] = table_sizes.get(table, 0) + 1
                table = (*table, table_sizes[table] - 1)
            yield from _ancestry(table, _line(node))
            for pair in node.named_children[1:]:
                if pair.type == "pair":
                    yield from _pair_positions(pair, table)


def _pair_positions(pair: "Node", table: KeyPath) -> Iterator[tuple[KeyPath, int, bool]]:
    key, value = (node for node in pair.named_children if node.type != "comment")
    path = (*table, *_keys(key))
    yield from _ancestry(path, _line(pair), below=len(table))
    yield from _value_positions(value, path)


def _value_positions(value: "Node", path: KeyPath) -> Iterator[tuple[KeyPath, int, bool]]:
    children = [node for node in value.named_children if node.type != "comment"]
    if value.type == "inline_table":
        for pair in children:
            yield from _pair_positions(pair, path)
    elif value.type == "array":
        for n, element in enumerate(children):
            yield (*path, n), _line(element), True
            yield from _value_positions(element, (*path, n))


def _ancestry(path: KeyPath, line: int, below: int = 0) -> Iterator[tuple[KeyPath, int, bool]]:
    for length in range(below + 1, len(path)):
        yield path[:length], line, False
    yield path, line, True


def _resolved(keys: KeyPath, table_sizes: Mapping[KeyPath, int]) -> KeyPath:
    """A header's keys with the index of the newest table put after each array of tables on the way.

    The last key stays as it is: `[[item]]` itself names the array.
    """
    path: KeyPath = ()
    for key in keys:
        if path in table_sizes:
            path = (*path, table_sizes[path] - 1)
        path = (*path, key)
    return path


def _keys(node: "Node") -> KeyPath:
    """The keys of a bare, quoted or dotted key, unescaped by the TOML parser itself."""
    assert node.text is not None
    keys: list[Key] = []
    here: Any = tomllib.loads(f"{node.text.decode()} = 0")
    while isinstance(here, dict):
        ((key, here),) = here.items()
        keys.append(key)
    return tuple(keys)


def _line(node: "Node") -> int:
    return node.start_point[0] + 1


def _keys_in_file(location: KeyPath, data: Any) -> KeyPath:
    """pydantic's location without the names of union members, which stand in no file."""
    path: KeyPath = ()
    here = data
    for n, key in enumerate(location):
        in_table = isinstance(here, dict) and key in here
        in_array = isinstance(here, list) and isinstance(key, int) and key < len(here)
        if in_table or in_array:
            here = here[key]
            path = (*path, key)
        elif n == len(location) - 1:
            path = (*path, key)
    return path


def _name_of(keys: KeyPath) -> str:
    names = [n for n, key in enumerate(keys) if isinstance(key, str)]
    if not names:
        return "the file"
    name = f"`{keys[names[-1]]}`"
    for index in keys[names[-1] + 1 :]:
        name += f" no. {int(index) + 1}"
    return name


def _in_words(name: str, kind: str, message: str, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    if kind == "missing":
        return f"{name} is missing", "Add it here."
    if kind == "extra_forbidden":
        return f"{name} is not known here", "Correct its spelling, or take it away."
    if kind == "value_error":
        what, _, cure = message.removeprefix("Value error, ").partition("\n")
        return what, cure.strip() or "Correct it here."
    if kind == "string_too_short" and not str(value).strip():
        return f"{name} is empty", "Fill it in here."
    if "cure" in context:
        return message, str(context["cure"])
    should = re.sub(r"^\w+ should ", "It must ", message)
    shown = f"{name} is {value!r}" if len(repr(value)) <= LONGEST_VALUE_SHOWN else f"{name} does not fit"
    return shown, should if should.endswith(".") else should + "."
