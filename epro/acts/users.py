"""Who may sign in at the desk, in which role, and for which sites?"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from passlib.context import CryptContext
from sqlalchemy import Connection, Row, func, insert, select

from epro.protocol import Protocol
from epro.refusals import N_, Refusal, Wrong
from epro.store.audit import TRIAL_CHAIN, Actor, entry
from epro.store.models import Role, User, UserRole

ROLES = ("nurse", "investigator", "monitor", "analyst", "trial_office", "administrator")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
ARGON2ID = {
    "argon2__type": "id",
    "argon2__rounds": 2,
    "argon2__memory_cost": 46 * 1024,  # KiB
    "argon2__parallelism": 1,
}  # above OWASP's floor; the library's own default takes half a second of a small server
passwords = CryptContext(schemes=["argon2"], **ARGON2ID)


def add(
    connection: Connection,
    protocol: Protocol,
    *,
    email: str,
    name: str,
    role: str,
    sites: Sequence[str],
    password: str,
    by: Actor,
    now: datetime,
) -> int:
    """Add an account, for every site when `sites` is empty. Returns its id. Raises Refusal with every fault."""
    email = email.strip().lower()
    wrongs = list(_wrongs_of(connection, protocol, email, name, role, sites, password))
    if wrongs:
        raise Refusal(wrongs)
    with entry(connection, chain=TRIAL_CHAIN, action="account added", by=by, at=now, reason=f"role {role}") as opened:
        user: int = opened.insert(
            User,
            email=email,
            name=name.strip(),
            password=hash_of(password),
            active=True,
            fs_uniquifier=uuid.uuid4().hex,
            sites=list(sites),
        )
        connection.execute(insert(UserRole), {"user_id": user, "role_id": _role(connection, role)})
    return user


def accounts(connection: Connection) -> Sequence[Row[tuple[str, str, str, list[str], bool]]]:
    """email, name, role, sites and active of every account, by email."""
    return connection.execute(
        select(User.email, User.name, Role.name.label("role"), User.sites, User.active)
        .join(UserRole, UserRole.user_id == User.id)
        .join(Role, Role.id == UserRole.role_id)
        .order_by(User.email)
    ).all()


def hash_of(password: str) -> str:
    """The argon2id hash that is stored, of the password in the form in which the sign-in page compares it."""
    return str(passwords.hash(unicodedata.normalize("NFKD", password)))


def _role(connection: Connection, name: str) -> int:
    known = connection.execute(select(Role.id).where(Role.name == name)).scalar()
    return known or connection.execute(insert(Role).values(name=name).returning(Role.id)).scalar_one()


def _wrongs_of(
    connection: Connection, protocol: Protocol, email: str, name: str, role: str, sites: Sequence[str], password: str
) -> Iterator[Wrong]:
    try:
        validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        yield Wrong("email", N_("This is not an e-mail address. Write it like nurse@example.org."))
    if connection.execute(select(User.id).where(func.lower(User.email) == email)).first():
        yield Wrong("email", N_("There is an account with this e-mail address already."))
    if not name.strip():
        yield Wrong("name", N_("Give the person's name."))
    if role not in ROLES:
        roles = {"role": repr(role), "roles": ", ".join(ROLES)}
        yield Wrong("role", N_("No role is called %(role)s; they are %(roles)s."), roles)
    for site in sites:
        if site not in protocol.sites:
            known = {"site": repr(site), "sites": ", ".join(protocol.sites)}
            yield Wrong("sites", N_("No site is called %(site)s; they are %(sites)s."), known)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        lengths = {"shortest": SHORTEST_PASSWORD, "longest": LONGEST_PASSWORD}
        yield Wrong("password", N_("Choose a password of %(shortest)s to %(longest)s characters."), lengths)
