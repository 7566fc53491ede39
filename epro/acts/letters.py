"""The last look before a text leaves, and the words it leaves with.

`Letters` is the scheduler's Writer. For a batch of claimed messages, in one transaction of its own: gather the facts of
these patients anew, plan again, and only where the plan still holds the message make a link, keep its hash, and render
the text. Nothing is rendered or stored before that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from epro.acts import links, reaching
from epro.acts.replanning import plan_of
from epro.acts.restoring import refuse_sending
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import CARRIER
from epro.store.codewords import code_words_of
from epro.store.contacts import Cipher
from epro.store.database import reading, writing
from epro.store.facts import Facts
from epro.store.models import ERASED, Assessment, Contact, Link
from epro.versions import Version, versions_of
from scheduler import ledger
from scheduler.messages import TO_SEND, Sent
from scheduler.outcomes import OPTED_OUT as OPTED_OUT_CODE
from scheduler.ports import EMAIL, Claimed, Letter, Outcome, Refused, Trace, Withheld
from scheduler.schedule import Schedule
from scheduler.texts import SUBJECT, render

NO_SUCH_PATIENT = "no such patient"


class Letters:
    """Writes what is due, from the facts of now."""

    def __init__(self, engine: Engine, protocol: Protocol, cipher: Cipher, address: str) -> None:
        self.engine, self.protocol, self.cipher, self.address = engine, protocol, cipher, address

    def write(self, messages: Sequence[Claimed], now: datetime) -> list[Letter | Withheld]:
        """One letter, or the reason why none, for each message in order. Raises SendingIsOff after a restore."""
        with writing(self.engine) as connection:
            refuse_sending(connection)
            known = facts.facts_of(connection, {message.subject for message in messages})
            assessments = self._assessments(connection, known)
            addresses = self._addresses(connection, known)
            codes = code_words_of(connection, self.cipher, known)
            histories = ledger.histories(connection, known)
            versions = versions_of(connection)
            letters: list[Letter | Withheld] = []
            issued: list[dict[str, object]] = []
            for message in messages:
                patient = known.get(message.subject)
                why_not = self._why_not(versions, message, patient, histories.get(message.subject, []), now)
                if patient is None or why_not:
                    letters.append(Withheld(why_not or NO_SUCH_PATIENT))
                    continue
                token, contact = links.new_token(), patient.contacts[message.channel].id
                issued.append(
                    {
                        "token_hash": links.hash_of(token),
                        "assessment": assessments[message.subject, message.visit],
                        "message_key": message.key,
                        "contact": contact,
                        "issued_at": now,
                    }
                )
                letters.append(
                    Letter(
                        addresses[contact],
                        self._text(versions, message, patient, token, codes[message.subject]),
                        message.expires_at,
                        message.channel,
                        self._subject(versions, message, patient) if message.channel == EMAIL else "",
                    )
                )
            links.issue_for_texts(connection, issued)
        return letters

    def trace(self, message: Claimed) -> Trace | None:
        """Where the latest letter of this message went and the hash of its link.

        None = no letter was written, or the address was erased: then the patient is texted no more either way.
        """
        with reading(self.engine) as connection:
            row = connection.execute(
                select(Link.token_hash, Contact.address, Contact.kind)
                .join(Contact, Contact.id == Link.contact)
                .where(Link.message_key == message.key, Contact.address != ERASED)
                .order_by(Link.issued_at.desc())
                .limit(1)
            ).one_or_none()
        return Trace(self.cipher.decrypt(row.address), row.token_hash, row.kind) if row else None

    def settled(self, connection: Connection, message: Claimed, outcome: Outcome, now: datetime) -> None:
        """What an outcome teaches about the patient.

        A carrier that says she replied STOP is as good as her STOP; one that refuses her address for ever ends its use.
        """
        if not isinstance(outcome, Refused):
            return
        subject = message.subject
        if outcome.code == OPTED_OUT_CODE:
            reaching.opt(connection, self.protocol, subject, out=True, by=CARRIER, now=now)
        elif outcome.then == "never":
            reaching.lose_reach(
                connection, self.protocol, subject, message.channel, by=CARRIER, now=now, never_left=message.key
            )

    def _why_not(
        self,
        versions: Sequence[Version],
        message: Claimed,
        patient: Facts | None,
        history: Sequence[Sent],
        now: datetime,
    ) -> str | None:
        if patient is None:
            return NO_SUCH_PATIENT
        if message.channel not in patient.channels:
            return "texts are stopped for this patient"
        plan = plan_of(versions, patient, history, now)
        if not any(planned.key == message.key and planned.action in TO_SEND for planned in plan.messages):
            return "the plan no longer holds this message"
        return None

    def _subject(self, versions: Sequence[Version], message: Claimed, patient: Facts) -> str:
        return _schedule_of(versions, message).texts[patient.language][SUBJECT]

    def _text(self, versions: Sequence[Version], message: Claimed, patient: Facts, token: str, code: str) -> str:
        return render(
            _schedule_of(versions, message),
            patient.language,
            message.step,
            link=f"{self.address}/p/{token}",
            phone=self.protocol.sites[patient.site].phone,
            code=code,
        )

    def _assessments(self, connection: Connection, known: dict[str, Facts]) -> dict[tuple[str, str], int]:
        rows = connection.execute(
            select(Assessment.subject, Assessment.visit, Assessment.id).where(Assessment.subject.in_(known))
        )
        return {(row.subject, row.visit): row.id for row in rows}

    def _addresses(self, connection: Connection, known: dict[str, Facts]) -> dict[int, str]:
        """contact → address"""
        contacts = [contact.id for patient in known.values() for contact in patient.contacts.values()]
        rows = connection.execute(select(Contact.id, Contact.address).where(Contact.id.in_(contacts)))
        return {row.id: self.cipher.decrypt(row.address) for row in rows}


def _schedule_of(versions: Sequence[Version], message: Claimed) -> Schedule:
    """The version that the visit of this message follows."""
    return next(version.schedule for version in versions if version.n == message.version)
