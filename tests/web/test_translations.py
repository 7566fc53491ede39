"""Every word of the interface exists in every language that has a catalogue.

To bring the catalogues up to date after a text has changed:

    pybabel extract -F epro/web/translations/mapping.cfg -k N_ --no-location --omit-header --sort-output \\
        -o words.pot epro
    pybabel update -i words.pot -d epro/web/translations --no-fuzzy-matching --ignore-obsolete --omit-header
"""

import re
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import epro
from epro.web.languages import TRANSLATIONS

ROOM = Path(epro.__file__).parent
CATALOGUES = {file.parts[-3]: file for file in sorted(TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))}


def words_of_the_code():
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    keywords = {**DEFAULT_KEYWORDS, "N_": None}
    found = extract_from_dir(ROOM, methods, {"**/templates/**.html": {"trimmed": "true"}}, keywords)
    return {message for _, _, message, _, _ in found}


def told(catalogue):
    return {entry.id: entry for entry in catalogue if entry.id}


def as_tuple(texts):
    return texts if isinstance(texts, tuple | list) else (texts,)


def test_swedish_has_a_catalogue():
    assert "sv" in CATALOGUES


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_word_of_the_interface_lacks_its_translation(language):
    catalogue = told(read_po(CATALOGUES[language].open("rb"), locale=language))
    untranslated = [
        words
        for words in words_of_the_code()
        if words not in catalogue or not all(as_tuple(catalogue[words].string)) or catalogue[words].fuzzy
    ]

    assert untranslated == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_translation_names_the_same_values_as_its_original(language):
    values = re.compile(r"%\(\w+\)\w")
    differing = [
        entry.id
        for entry in told(read_po(CATALOGUES[language].open("rb"), locale=language)).values()
        for text in as_tuple(entry.string)
        if set(values.findall(text)) != set(values.findall(as_tuple(entry.id)[-1]))
    ]

    assert differing == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_translation_outlives_its_original(language):
    catalogue = read_po(CATALOGUES[language].open("rb"), locale=language)

    assert sorted(map(str, told(catalogue).keys() - words_of_the_code())) == []
    assert not catalogue.obsolete
