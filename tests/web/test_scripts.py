"""The scripts that the phone is given: small, and in a language that old phones speak (ECMAScript 2017)."""

import gzip
import re

import pytest

from epro.web.inlined import STATIC

NEWER = re.compile(
    r"\?\.[a-z(\[]|\?\?|catch \{|\.\.\.\w+ ?\}|\{ ?\.\.\.|\.flat\(|\.at\(|replaceAll|#\w+ ?=|\*\*=|\|\|=|&&="
)


@pytest.mark.parametrize(("name", "most_bytes"), [("phone.js", 4096), ("start.js", 512), ("worker.js", 1024)])
def test_a_script_is_small_and_speaks_no_newer_language_than_old_phones_do(name, most_bytes):
    text = (STATIC / name).read_text()

    assert len(gzip.compress(text.encode(), 9)) <= most_bytes
    assert NEWER.search(text) is None
