"""What is a patient answered when she replies to a text? One segment each, with whom to call, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from scheduler.replies import Understood

FALLBACK = "en"
NO_LATER = "no later"
WORDS: Mapping[str, Mapping[str, str]] = {
    "sv": {
        "stop": "Du får inga fler sms eller mejl från oss. Ångrar du dig, svara START. Frågor? Ring {phone}",
        "stop_sms": "Du får inga fler sms från oss. Ångrar du dig, svara START. Frågor? Ring {phone}",
        "stop_email": "Du får inga fler mejl från oss. Ångrar du dig, svara START. Frågor? Ring {phone}",
        "start": "Du får sms från oss igen. Vill du inte det, svara STOPP. Frågor? Ring {phone}",
        "help": "Vi påminner om ett formulär. Svara SENARE, RING (vi ringer dig) eller STOPP. Frågor? Ring {phone}",
        "later": "Det går bra. Vi påminner dig igen {next_on}. Länken fungerar under tiden. Frågor? Ring {phone}",
        NO_LATER: "Det finns ingen senare påminnelse. Din länk fungerar så länge formuläret är öppet. Ring {phone}",
        "call": "Vi ringer upp dig, som regel nästa vardag. Brådskar det? Ring {phone}, vid fara för liv 112",
        "other": "Vi kan inte läsa det du skriver här. Vill du nå oss? Ring {phone}, vid fara för liv 112",
    },
    "en": {
        "stop": "You get no more texts or e-mails from us. Changed your mind? Reply START. Questions? Call {phone}",
        "stop_sms": "You will get no more texts from us. If you change your mind, reply START. Questions? Call {phone}",
        "stop_email": "You get no more e-mails from us. If you change your mind, reply START. Questions? Call {phone}",
        "start": "You will get texts from us again. To end them, reply STOP. Questions? Call {phone}",
        "help": "We remind you of a form. Reply LATER, CALL (we call you) or STOP. Questions? Call {phone}",
        "later": "That is fine. We remind you again on {next_on}. Your link works meanwhile. Questions? Call {phone}",
        NO_LATER: "There is no later reminder. Your link works as long as the form is open. Call {phone}",
        "call": "We will call you, as a rule the next working day. Urgent? Call {phone}, if life is in danger 112",
        "other": "We cannot read what you write here. To reach us, call {phone}, if life is in danger 112",
    },
}


def answer(understood: Understood, language: str, *, phone: str, next_on: date | None) -> str:
    """The answer in her language, or in English. next_on: the day of her next planned text, None where there is none.

    phone: the nurse's, as written in the trial file.
    """
    words = WORDS.get(language, WORDS[FALLBACK])
    which = NO_LATER if understood is Understood.LATER and next_on is None else understood.value
    return words[which].format(phone=phone, next_on=next_on)
