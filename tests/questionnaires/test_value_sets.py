"""Is a value set named, never invented, and refused when it does not fit?"""

import math

import pandas as pd
import pytest

import questionnaires
from questionnaires.catalogue import FOLDER
from questionnaires.located import Refused
from questionnaires.value_sets import with_value_set

LEVELS = ["QLU_PF", "QLU_RF", "QLU_SF", "QLU_EF", "QLU_PA", "QLU_FA", "QLU_SL", "QLU_AP", "QLU_NA", "QLU_BO"]
SOUND = (
    """\
instrument = "qlu-c10d"
version = "1.0"
code = "Made_up"
label = { en = "Made up for a test" }
parts = ["""
    + ", ".join(f'"{level}"' for level in LEVELS)
    + """]
[decrements]
"""
    + "".join(f"{level} = [0, 0.01, 0.02, 0.05]\n" for level in LEVELS)
    + """\
[source]
covers = "all"
cite = "made up for a test"
mark = "read"
"""
)


@pytest.fixture
def valued(tmp_path):
    """The QLU-C10D with the sound value set after replacing the first of each old text by the new one."""

    def valued(*changes):
        text = SOUND
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        file = tmp_path / "made-up.toml"
        file.write_text(text, encoding="utf-8")
        return with_value_set(questionnaires.load("qlu-c10d"), file)

    return valued


def answers(instrument, **changed):
    return pd.DataFrame([{item.code: 1 for item in instrument.items} | changed], dtype=float)


def test_without_a_value_set_there_are_levels_and_no_utility():
    qlu = questionnaires.load("qlu-c10d")

    assert sorted(questionnaires.score(answers(qlu), qlu).columns) == sorted(LEVELS)


def test_a_value_set_of_one_s_own_adds_a_column_of_its_name(valued):
    qlu = valued()

    assert questionnaires.score(answers(qlu), qlu).Made_up[0] == 1
    assert questionnaires.score(answers(qlu, q9=4, q26=2, q27=3), qlu).Made_up[0] == pytest.approx(1 - 0.05 - 0.02)


def test_a_utility_needs_all_thirteen_items(valued):
    qlu = valued()

    assert len(qlu.items) == 13
    for item in qlu.items:
        assert math.isnan(questionnaires.score(answers(qlu, **{item.code: math.nan}), qlu).Made_up[0])


BROKEN = {
    "of another instrument": (
        '"qlu-c10d"', '"eq-5d-5l"',
        "made-up.toml:1: this is a value set of eq-5d-5l 1.0\n  Use a value set made for qlu-c10d 1.0.",
    ),
    "a level too few": (
        "QLU_SF = [0, 0.01, 0.02, 0.05]", "QLU_SF = [0, 0.01, 0.05]",
        "made-up.toml:9: QLU_SF has 3 decrements for 4 levels\n"
        "  Give one for each of 1, 2, 3, 4; the first is mostly 0.",
    ),
    "decrements written as they are printed": (
        "QLU_PF = [0, 0.01", "QLU_PF = [0, -0.01",
        "made-up.toml:7: `QLU_PF` no. 2 is -0.01\n  It must be greater than or equal to 0.",
    ),
    "a part without decrements": (
        "QLU_PF = [0, 0.01, 0.02, 0.05]\n", "",
        "made-up.toml:6: there are no decrements of QLU_PF\n  Add QLU_PF = [...] here.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), BROKEN.values(), ids=BROKEN)
def test_it_is_refused_with_its_line_and_cure(valued, old, new, told):
    with pytest.raises(Refused) as refused:
        valued((old, new))

    assert str(refused.value) == told


def test_a_value_set_has_a_name_of_its_own(valued):
    with pytest.raises(Refused, match="qlu-c10d has QLU_PF already"):
        valued(('"Made_up"', '"QLU_PF"'))


def test_the_eq_5d_gives_both_swedish_values_and_chooses_none():
    eq5d = questionnaires.load("eq-5d-5l")
    worst = pd.DataFrame([dict.fromkeys(["MO", "SC", "UA", "PD", "AD"], 5)])

    values = questionnaires.score(worst, eq5d)

    assert list(values.columns) == ["Sweden_2020", "Sweden_2022"]
    assert values.Sweden_2020[0] == 0.243  # Burström 2020: 55555
    assert values.Sweden_2022[0] == pytest.approx(-0.314)  # EQ-VT 2022: 55555


def test_the_scale_of_health_never_changes_the_index():
    eq5d = questionnaires.load("eq-5d-5l")
    states = pd.DataFrame([dict.fromkeys(["MO", "SC", "UA", "PD", "AD"], 2)] * 2)

    values = questionnaires.score(states.assign(VAS=[0, math.nan]), eq5d)

    assert values.Sweden_2022.nunique() == 1
    assert list(values.VAS.isna()) == [False, True]


def test_a_value_set_named_and_not_there_is_refused_by_line(tmp_path):
    file = tmp_path / "eq-5d-5l.toml"
    original = (FOLDER / "eq-5d-5l.toml").read_text(encoding="utf-8")
    file.write_text(original.replace("Sweden_2020", "Sweden_2021"), encoding="utf-8")

    with pytest.raises(Refused, match=r"eq-5d-5l\.toml:7: there is no value set eq-5d-5l\.Sweden_2021\.toml"):
        questionnaires.load(file)
