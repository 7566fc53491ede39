"""In which words does the page of a trail say an act? The trail itself, and every file of it, keeps the English one."""

from __future__ import annotations

from flask_babel import gettext

from epro.refusals import N_
from epro.web.desk.words import ROLES

ACTS = {
    "patient enrolled": N_("patient enrolled"),
    "patient randomised": N_("patient randomised"),
    "randomisation date corrected": N_("randomisation date corrected"),
    "arm recorded": N_("arm recorded"),
    "surgery date corrected": N_("surgery date corrected"),
    "discharge date corrected": N_("discharge date corrected"),
    "progression date corrected": N_("progression date corrected"),
    "death date corrected": N_("death date corrected"),
    "withdrawal date corrected": N_("withdrawal date corrected"),
    "surgery recorded": N_("surgery recorded"),
    "discharge recorded": N_("discharge recorded"),
    "progression recorded": N_("progression recorded"),
    "seen_alive recorded": N_("known to be alive"),
    "death recorded": N_("death recorded"),
    "withdrawal recorded": N_("withdrawal recorded"),
    "surgery undone": N_("surgery taken back"),
    "discharge undone": N_("discharge taken back"),
    "progression undone": N_("progression taken back"),
    "death undone": N_("death taken back"),
    "withdrawal undone": N_("withdrawal taken back"),
    "seen_alive undone": N_("known to be alive, taken back"),
    "texts allowed": N_("texts allowed"),
    "texts refused": N_("texts no longer allowed"),
    "opted out": N_("replied STOP"),
    "opted in": N_("replied START"),
    "asked later": N_("replied LATER"),
    "sms fails": N_("texts do not arrive"),
    "email fails": N_("mails do not arrive"),
    "not me": N_("link opened by somebody else"),
    "wrong number": N_("number reported as wrong"),
    "reply received": N_("reply received"),
    "number changed": N_("number changed"),
    "e-mail address changed": N_("e-mail address changed"),
    "second step changed": N_("second step changed"),
    "contact erased": N_("number and replies erased"),
    "value redacted": N_("value redacted"),
    "texts paused": N_("texts paused"),
    "pause ended": N_("pause ended"),
    "card issued": N_("card issued"),
    "card used": N_("card used"),
    "tablet handed over": N_("tablet handed over"),
    "assessment started": N_("form begun"),
    "said who answers": N_("said who answers"),
    "language chosen": N_("language chosen"),
    "answers saved": N_("answers saved"),
    "assessment submitted": N_("form sent"),
    "answer corrected": N_("answer corrected"),
    "answers entered by phone": N_("answers entered from the phone"),
    "answers entered from paper": N_("answers entered from paper"),
    "test text sent": N_("test text sent"),
    "test text accepted": N_("test text handed over"),
    "test text refused": N_("test text refused by the carrier"),
    "test text unknown": N_("nobody knows whether the test text left"),
    "test text undelivered": N_("test text did not arrive"),
    "test text delivered": N_("test text arrived"),
    "test text opened": N_("test text opened"),
    "called": N_("called"),
    "sent again": N_("text sent again"),
    "missing reason recorded": N_("reason why it is missing"),
    "missing reason taken back": N_("reason taken back"),
    "alert raised": N_("alert raised"),
    "alert acknowledged": N_("alert acknowledged"),
    "alert escalated": N_("alert passed on"),
    "zone changed": N_("moved to another time zone"),
    "calendar address made": N_("calendar address made"),
    "calendar address ended": N_("calendar address ended"),
    "consented anew": N_("consented to the amended trial"),
    "trial amended": N_("trial amended"),
    "record signed": N_("record signed"),
    "data cut signed": N_("data cut signed"),
    "data locked": N_("data locked"),
    "data unlocked": N_("data unlocked"),
    "data exported": N_("data exported"),
    "trail reviewed": N_("trail reviewed"),
    "keys rotated": N_("keys rotated"),
    "restore looked into": N_("restore looked into"),
    "restore released": N_("restore released"),
}
REFUSED = "refused, data are locked: "
WHO = {
    **ROLES,
    "patient": N_("patient"),
    "stranger": N_("somebody else"),
    "operator": N_("operator"),
    "system": N_("system"),
}
CHANNELS = {
    "desk": N_("desk"),
    "phone": N_("phone"),
    "tablet": N_("tablet"),
    "command": N_("command line"),
    "carrier": N_("carrier"),
}


def act(action: str) -> str:
    """An act in the language of the page; one without words of its own as the trail has it."""
    if action.startswith(REFUSED):
        refused = gettext("refused, data are locked")
        return f"{refused}: {act(action.removeprefix(REFUSED))}"
    return str(gettext(ACTS[action])) if action in ACTS else action


def by_whom(role: str, channel: str) -> str:
    """The role and the channel of an entry in the language of the page."""
    said = ((WHO, role), (CHANNELS, channel))
    return ", ".join(str(gettext(words[code])) if code in words else code for words, code in said)
