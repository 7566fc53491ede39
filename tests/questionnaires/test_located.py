"""Does every key of a TOML file know its line, and does a fault say where, what, and what would be right?"""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from questionnaires.located import Refused, faults_of, parse, read

ROOT = Path(__file__).parents[2]

SHAPES = parse(
    '''\
dotted.inside = 1
plain = "x"  # a comment
"quoted \\u00e5" . "with.dot" = 2
[visit."M1.5"]  # a quoted key with a dot in it
offset = { n = 1, unit.kind = "day" }
[ visit . 'M3' ]
long = """
two lines
"""
list = [
    10,
    # a comment between
    [20, 21],
    { deep = [
        "x",
    ] },
]
[[step]]
code = "a"
[step.more]
x = 1
[[step]]
code = "b"
[[step.part]]
y = 1
[[step.part]]
y = 2
[late.table]
[late]
x = 1
''',
    "shapes.toml",
)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ([], 1),
        (["dotted"], 1),
        (["dotted", "inside"], 1),
        (["plain"], 2),
        (["quoted å", "with.dot"], 3),
        (["visit"], 4),
        (["visit", "M1.5"], 4),
        (["visit", "M1.5", "offset"], 5),
        (["visit", "M1.5", "offset", "n"], 5),
        (["visit", "M1.5", "offset", "unit", "kind"], 5),
        (["visit", "M3"], 6),
        (["visit", "M3", "long"], 7),
        (["visit", "M3", "list"], 10),
        (["visit", "M3", "list", 0], 11),
        (["visit", "M3", "list", 1], 13),
        (["visit", "M3", "list", 1, 1], 13),
        (["visit", "M3", "list", 2, "deep"], 14),
        (["visit", "M3", "list", 2, "deep", 0], 15),
        (["step"], 18),
        (["step", 0], 18),
        (["step", 0, "code"], 19),
        (["step", 0, "more"], 20),
        (["step", 0, "more", "x"], 21),
        (["step", 1], 22),
        (["step", 1, "code"], 23),
        (["step", 1, "part"], 24),
        (["step", 1, "part", 0, "y"], 25),
        (["step", 1, "part", 1], 26),
        (["step", 1, "part", 1, "y"], 27),
        (["late", "table"], 28),
        (["late"], 29),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, list) else None,
)
def test_each_key_path_has_the_line_it_is_written_on(keys, line):
    assert SHAPES.line(keys) == line


@pytest.mark.parametrize(
    ("keys", "line"),
    [(["nothing"], 1), (["visit", "M99"], 4), (["visit", "M3", "list", 9], 10), (["step", 1, "more", "x"], 22)],
)
def test_what_is_not_there_has_the_line_of_the_nearest_thing_around_it(keys, line):
    assert SHAPES.line(keys) == line


def test_a_line_may_follow_letters_that_take_more_than_one_byte():
    assert parse("å = 'ä'\n".replace("å", '"å"') + "b = 1", "x.toml").line(["b"]) == 2


def test_windows_line_endings_count_once():
    assert parse("a = 1\r\n[b]\r\nc = 2\r\n", "x.toml").line(["b", "c"]) == 3


def key_paths(value, path=()):
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from key_paths(child, (*path, key))


@pytest.mark.parametrize(
    "file",
    [ROOT / "epro/trials/breclim-2.toml", *sorted((ROOT / "questionnaires").rglob("*.toml"))],
    ids=lambda file: file.name,
)
def test_in_our_own_files_every_named_key_stands_on_its_line(file):
    document = read(file)
    lines = document.text.splitlines()

    named = [path for path in key_paths(document.data) if isinstance(path[-1], str)]
    astray = [path for path in named if path[-1] not in lines[document.line(path) - 1]]

    assert astray == []


def test_the_hash_is_of_the_bytes_even_where_the_text_is_read_more_kindly(tmp_path):
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")

    document = read(file)

    assert document.data == {"a": 1}
    # GNU sha256sum of the file
    assert document.sha256 == "ecf23e2722a279fa65fb8403592250781836ebd8fec2d0d8fb8753442b668c92"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\nc = 3", 2),
        ("[a]\n[b]\n[a]\n", 3),
        ("a = [1,\n", 1),
        ('a = 1\nb = "x\n', 2),
    ],
)
def test_what_is_not_toml_is_refused_at_its_line(text, line):
    with pytest.raises(Refused) as refused:
        parse(text, "/somewhere/trial.toml")

    (fault,) = refused.value.faults
    assert (fault.file, fault.line) == ("trial.toml", line)
    assert fault.what.startswith("this is not TOML: ")


def test_what_is_not_utf_8_is_refused_at_its_line(tmp_path):
    file = tmp_path / "old.toml"
    file.write_bytes("a = 1\nb = 'å'\n".encode("cp1252"))

    with pytest.raises(Refused, match=r"old\.toml:2: this line is not UTF-8"):
        read(file)


def test_faults_are_told_in_the_order_of_their_lines():
    later = SHAPES.fault(["step"], "this is wrong", "Do that.")
    earlier = SHAPES.fault(["plain"], "so is this", "Do.")

    refused = Refused([later, earlier])

    assert str(refused) == "shapes.toml:2: so is this\n  Do.\nshapes.toml:18: this is wrong\n  Do that."


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: str
    day: Annotated[int, Field(ge=0)] = 0
    channel: Literal["sms", "email"] = "sms"
    when: int | list[int] = 0

    @field_validator("code")
    @classmethod
    def known(cls, code):
        if code == "knows-cure":
            raise PydanticCustomError("bad", "the code will not do", {"cure": "Take another."})
        if code == "two-lines":
            raise ValueError("the code will not do\n  Take another.")
        return code


class Ladder(BaseModel):
    step: list[Step]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("day = 1", "trial.toml:3: `code` is missing\n  Add it here."),
        (
            "code = 'a'\nchanel = 'sms'",
            "trial.toml:5: `chanel` is not known here\n  Correct its spelling, or take it away.",
        ),
        ("code = 'a'\nday = -1", "trial.toml:5: `day` is -1\n  It must be greater than or equal to 0."),
        ("code = 'a'\nchannel = 'fax'", "trial.toml:5: `channel` is 'fax'\n  It must be 'sms' or 'email'."),
        ("code = 7", "trial.toml:4: `code` is 7\n  It must be a valid string."),
        ("code = 'knows-cure'", "trial.toml:4: the code will not do\n  Take another."),
        ("code = 'two-lines'", "trial.toml:4: the code will not do\n  Take another."),
        ("code = 'a'\nwhen = [\n1,\n'x']", "trial.toml:7: `when` no. 2 is 'x'"),
    ],
)
def test_what_pydantic_finds_is_told_with_file_line_and_cure(line, told):
    document = parse(f"[ladder]\nx = 1\n[[ladder.step]]\n{line}\n", "trial.toml")

    with pytest.raises(ValidationError) as invalid:
        Ladder.model_validate(document.data["ladder"])

    assert told in [str(fault)[: len(told)] for fault in faults_of(invalid.value, document, ["ladder"])]


def test_a_list_is_not_called_too_short_because_its_part_is_at_fault():
    class Steps(BaseModel):
        step: Annotated[tuple[Step, ...], Field(min_length=1)]

    document = parse("[[step]]\nday = 1", "trial.toml")
    with pytest.raises(ValidationError) as invalid:
        Steps.model_validate(document.data)

    assert [fault.what for fault in faults_of(invalid.value, document)] == ["`code` is missing"]


def test_a_value_too_long_to_repeat_is_only_named():
    document = parse(f"[[step]]\ncode = 'a'\nday = '{'x' * 50}'", "trial.toml")

    with pytest.raises(ValidationError) as invalid:
        Ladder.model_validate(document.data)

    assert faults_of(invalid.value, document)[0].what == "`day` does not fit"
