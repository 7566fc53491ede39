"""The last look before a text leaves, and the words it leaves with.

`Letters` is the scheduler's Writer. For a batch of claimed messages, in one transaction of its own: gather the facts of
these patients anew, plan again, and only where the plan still holds the message make a link, keep its hash, and render
the text. Nothing is rendered or stored before that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from epro.acts import links, patients
from epro.acts.replanning import plan_of
from epro.acts.restoring import refuse_sending
from epro.protocol import Protocol
from epro.store import facts
from epro.store.audit import CARRIER
from epro.store.contacts import Cipher
from epro.store.database import reading, writing
from epro.store.facts import Facts
from epro.store.models import Assessment, Contact, Link
from epro.versions import Version, versions_of
from scheduler import ledger
from scheduler.planning import TO_SEND, Sent
from scheduler.ports import Claimed, Letter, Outcome, Refused, Trace, Withheld
from scheduler.texts import render

NO_SUCH_PATIENT = "no such patient"
OPTED_OUT_CODE = 21610  # Twilio: the recipient has replied STOP


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
                token = links.new_token()
                issued.append(
                    {
                        "token_hash": links.hash_of(token),
                        "assessment": assessments[message.subject, message.visit],
                        "message_key": message.key,
                        "contact": patient.contact,
                        "issued_at": now,
                    }
                )
                letters.append(
                    Letter(
                        addresses[message.subject], self._text(versions, message, patient, token), message.expires_at
                    )
                )
            links.issue_for_texts(connection, issued)
        return letters

    def trace(self, message: Claimed) -> Trace | None:
        """Where the latest letter of this message went and the hash of its link; None = no letter was written."""
        with reading(self.engine) as connection:
            row = connection.execute(
                select(Link.token_hash, Contact.address)
                .join(Contact, Contact.id == Link.contact)
                .where(Link.message_key == message.key)
                .order_by(Link.issued_at.desc())
                .limit(1)
            ).one_or_none()
        return Trace(self.cipher.decrypt(row.address), row.token_hash) if row else None

    def settled(self, connection: Connection, message: Claimed, outcome: Outcome, now: datetime) -> None:
        """What an outcome teaches about the patient: a carrier that says she replied STOP is as good as her STOP."""
        if isinstance(outcome, Refused) and outcome.code == OPTED_OUT_CODE:
            patients.opt(connection, self.protocol, message.subject, out=True, by=CARRIER, now=now)

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
        if not patient.may_be_texted:
            return "texts are stopped for this patient"
        plan = plan_of(versions, patient, history, now)
        if not any(planned.key == message.key and planned.action in TO_SEND for planned in plan.messages):
            return "the plan no longer holds this message"
        return None

    def _text(self, versions: Sequence[Version], message: Claimed, patient: Facts, token: str) -> str:
        """In the words of the version that the visit follows."""
        return render(
            next(version.schedule for version in versions if version.n == message.version),
            patient.language,
            message.step,
            link=f"{self.address}/p/{token}",
            phone=self.protocol.sites[patient.site].phone,
        )

    def _assessments(self, connection: Connection, known: dict[str, Facts]) -> dict[tuple[str, str], int]:
        rows = connection.execute(
            select(Assessment.subject, Assessment.visit, Assessment.id).where(Assessment.subject.in_(known))
        )
        return {(row.subject, row.visit): row.id for row in rows}

    def _addresses(self, connection: Connection, known: dict[str, Facts]) -> dict[str, str]:
        contacts = [patient.contact for patient in known.values() if patient.contact is not None]
        rows = connection.execute(select(Contact.subject, Contact.address).where(Contact.id.in_(contacts)))
        return {row.subject: self.cipher.decrypt(row.address) for row in rows}
