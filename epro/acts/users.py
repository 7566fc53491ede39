"""Who may sign in at the desk, in which role, and for which sites?

An account is never removed: a name that has been retired stays taken. Every change of role, sites or standing gives the
account a new `fs_uniquifier`, which ends its sessions at their next request.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, func, select

from epro.acts import passwords, tokens
from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import ACCOUNTS_CHAIN, Actor, entry
from epro.store.models import Audit, Passkey, StaffSession, User

NURSE, INVESTIGATOR, MONITOR = "nurse", "investigator", "monitor"
ANALYST, TRIAL_OFFICE, ADMINISTRATOR = "analyst", "trial_office", "administrator"
ROLES = (NURSE, INVESTIGATOR, MONITOR, ANALYST, TRIAL_OFFICE, ADMINISTRATOR)
AT_OWN_SITES = frozenset({NURSE, INVESTIGATOR})  # every other role sees every site
SETUP = "setup"
SETUP_LINK_LASTS = timedelta(hours=72)
SIGNED_IN = "signed in"
UNUSED_AFTER = timedelta(days=182)


class NoSuchAccount(LookupError):
    """No account has this e-mail address or number."""


@dataclass(frozen=True)
class Account:
    """An account as a list shows it."""

    id: int
    email: str
    name: str
    role: str
    sites: list[str]
    active: bool
    second_step: str  # none | code | passkey | code and passkey
    last_signed_in_at: datetime | None
    added_at: datetime


def add(
    connection: Connection,
    protocol: Protocol,
    *,
    email: str,
    name: str,
    role: str,
    sites: Sequence[str],
    by: Actor,
    now: datetime,
    password: str | None = None,
) -> int:
    """Add an account; without a password it waits for `setup_link`. Returns its id. Raises Refusal with every fault."""
    email = normal(email)
    wrongs = [*_wrongs_of_name(connection, email, name), *_wrongs_of_access(protocol, role, sites)]
    if password is not None:
        wrongs += passwords.wrongs_of(password, about=(email, name))
    if wrongs:
        raise Refusal(wrongs)
    with entry(
        connection, chain=ACCOUNTS_CHAIN, action="account added", by=by, at=now, reason=f"role {role}"
    ) as opened:
        user: int = opened.insert(
            User,
            email=email,
            name=name.strip(),
            role=role,
            sites=list(sites),
            password=None if password is None else passwords.hash_of(password),
            active=True,
            fs_uniquifier=new_uniquifier(),
            added_at=now,
        )
    return user


def change_access(
    connection: Connection, protocol: Protocol, user: int, *, role: str, sites: Sequence[str], by: Actor, now: datetime
) -> bool:
    """Give an account another role or other sites; its sessions end. Returns whether anything changed.

    Raises Refusal, NoSuchAccount.
    """
    known = _known(connection, user)
    wrongs = [*_wrongs_of_access(protocol, role, sites), *_wrongs_of_last_administrator(connection, known, role)]
    if wrongs:
        raise Refusal(wrongs)
    if (known.role, list(known.sites)) == (role, list(sites)):
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action="access changed", by=by, at=now) as opened:
        opened.update(User, user, role=role, sites=list(sites), fs_uniquifier=new_uniquifier())
    return True


def disable(connection: Connection, user: int, *, by: Actor, now: datetime) -> bool:
    """Close an account; its sessions end at their next request. Its name stays taken. Raises Refusal, NoSuchAccount."""
    known = _known(connection, user)
    wrongs = list(_wrongs_of_last_administrator(connection, known, None))
    if wrongs:
        raise Refusal(wrongs)
    return _stand(connection, user, "account disabled", by, now, active=False)


def enable(connection: Connection, user: int, *, by: Actor, now: datetime) -> bool:
    """Open an account again, for the same person. Raises NoSuchAccount."""
    _known(connection, user)
    return _stand(connection, user, "account enabled", by, now, active=True)


def setup_link(connection: Connection, user: int, *, by: Actor, now: datetime) -> str:
    """The token of a link by which the person chooses a password, once; an older link dies. Raises NoSuchAccount."""
    _known(connection, user)
    tokens.revoke(connection, SETUP, user, now)
    with entry(connection, chain=ACCOUNTS_CHAIN, action="set-up link made", by=by, at=now, reason=f"account {user}"):
        return tokens.issue(connection, SETUP, user, now + SETUP_LINK_LASTS)


def set_password(connection: Connection, user: int, password: str, *, by: Actor, now: datetime, action: str) -> None:
    """Give an account a new password; its sessions end. Raises Refusal."""
    known = _known(connection, user)
    wrongs = list(passwords.wrongs_of(password, about=(known.email, known.name)))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=ACCOUNTS_CHAIN, action=action, by=by, at=now, reason=f"account {user}") as opened:
        opened.update(User, user, password=passwords.hash_of(password), fs_uniquifier=new_uniquifier())


def account(connection: Connection, user: int) -> Account:
    """Raises NoSuchAccount."""
    found = [each for each in accounts(connection) if each.id == user]
    if not found:
        raise NoSuchAccount(user)
    return found[0]


def id_of(connection: Connection, email: str) -> int:
    """Raises NoSuchAccount."""
    found = connection.execute(select(User.id).where(User.email == normal(email))).scalar()
    if found is None:
        raise NoSuchAccount(normal(email))
    return found


def accounts(connection: Connection) -> list[Account]:
    """Every account, by e-mail address."""
    keys = set(connection.execute(select(Passkey.user_id).where(Passkey.removed_at.is_(None))).scalars())
    seen = _last_signed_in(connection)
    rows = connection.execute(select(User.__table__).order_by(User.email))
    return [
        Account(
            row.id,
            row.email,
            row.name,
            row.role,
            list(row.sites),
            row.active,
            " and ".join([*(["code"] if row.totp_secret else []), *(["passkey"] if row.id in keys else [])]) or "none",
            seen.get(row.id),
            row.added_at,
        )
        for row in rows
    ]


def remarks_on(account: Account, now: datetime) -> list[str]:
    """What a reviewer of the accounts should look at: a half-yearly check of who still needs what."""
    remarks = []
    if not account.active:
        return ["disabled"]
    if account.last_signed_in_at is None:
        remarks.append("never signed in")
    elif now - account.last_signed_in_at > UNUSED_AFTER:
        remarks.append("not signed in for half a year")
    if account.second_step == "none":
        remarks.append("no second step")
    if account.role in AT_OWN_SITES and not account.sites:
        remarks.append("no site")
    return remarks


def reviewed(connection: Connection, sha256: str, *, by: Actor, now: datetime) -> None:
    """Tell that the accounts were reviewed, and by which report."""
    with entry(connection, chain=ACCOUNTS_CHAIN, action="accounts reviewed", by=by, at=now, reason=f"sha256 {sha256}"):
        pass


def last_review(connection: Connection) -> datetime | None:
    return connection.execute(select(func.max(Audit.at)).where(Audit.action == "accounts reviewed")).scalar()


def normal(email: str) -> str:
    """One way to write an address, so that no two accounts differ by case or by how a letter is composed."""
    return unicodedata.normalize("NFKC", email).strip().lower()


def new_uniquifier() -> str:
    return uuid.uuid4().hex


def _stand(connection: Connection, user: int, action: str, by: Actor, now: datetime, *, active: bool) -> bool:
    if connection.execute(select(User.active).where(User.id == user)).scalar_one() == active:
        return False
    with entry(connection, chain=ACCOUNTS_CHAIN, action=action, by=by, at=now) as opened:
        opened.update(User, user, active=active, fs_uniquifier=new_uniquifier())
    tokens.revoke(connection, SETUP, user, now)
    return True


def _known(connection: Connection, user: int) -> User:
    row = connection.execute(select(User.__table__).where(User.id == user)).one_or_none()
    if row is None:
        raise NoSuchAccount(user)
    return row  # type: ignore[return-value]


def _last_signed_in(connection: Connection) -> dict[int, datetime]:
    started = select(StaffSession.user_id, func.max(StaffSession.started_at))
    rows = connection.execute(started.where(StaffSession.stage == "full").group_by(StaffSession.user_id))
    return {user: at for user, at in rows}  # noqa: C416 - a row is no pair to a type checker


def _wrongs_of_name(connection: Connection, email: str, name: str) -> Iterator[Wrong]:
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        yield Wrong("email", N_("This is not an e-mail address. Write it like nurse@example.org."))
    taken = connection.execute(select(User.active).where(User.email == email)).one_or_none()
    if taken is not None and taken.active:
        yield Wrong("email", N_("There is an account with this e-mail address already."))
    elif taken is not None:
        yield Wrong("email", N_("This address belonged to an account that is closed. Addresses are not used again."))
    if not name.strip():
        yield Wrong("name", N_("Give the person's name."))


def _wrongs_of_access(protocol: Protocol, role: str, sites: Sequence[str]) -> Iterator[Wrong]:
    if role not in ROLES:
        roles = {"role": repr(role), "roles": ", ".join(ROLES)}
        yield Wrong("role", N_("No role is called %(role)s; they are %(roles)s."), roles)
    for site in sites:
        if site not in protocol.sites:
            known = {"site": repr(site), "sites": ", ".join(protocol.sites)}
            yield Wrong("sites", N_("No site is called %(site)s; they are %(sites)s."), known)


def _wrongs_of_last_administrator(connection: Connection, known: User, role: str | None) -> Iterator[Wrong]:
    if known.role != ADMINISTRATOR or role == ADMINISTRATOR:
        return
    others = select(User.id).where(User.role == ADMINISTRATOR, User.active, User.id != known.id)
    if known.active and connection.execute(others.limit(1)).first() is None:
        yield Wrong("role", N_("This is the last administrator. Make another one first."))
