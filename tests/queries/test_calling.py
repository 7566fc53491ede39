"""Of a long list, who is shown?"""

from dataclasses import replace

from epro.queries.calling import Call, most_urgent
from epro.queries.written import Written
from tests.epro.conftest import NOW

LATE = Call("UME-001", "UME", None, True, (), (), ())


def test_the_first_of_the_list_are_shown_and_whoever_asked_to_be_called_however_far_down():
    reply = Written("UME-009", "UME", NOW, asks_for_a_call=True, shared=False, body="")
    late = [replace(LATE, subject=f"UME-00{n}") for n in range(1, 9)]
    ranked = [*late, Call("UME-009", "UME", None, False, (), (reply,), ())]

    assert [call.subject for call in most_urgent(ranked, 3)] == ["UME-001", "UME-002", "UME-003", "UME-009"]
