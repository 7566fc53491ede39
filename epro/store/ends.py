"""Does the end of every chain of the trail hold? A look that costs little, taken before anything serves or sends.

The last entries of each chain are held against their hashes, and its newest anchors against the chain. What lies before
them is `epro verify`'s to read. Two things explain a chain that is not as its anchors say: the database came back from
a backup, or somebody who answers for the trial has looked and goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from epro.record.epro_verify import GENESIS, Chains
from epro.store.anchors import Anchor
from epro.store.audit import HASHED, TRIAL_CHAIN, canonical
from epro.store.models import Audit, Restored

LAST = 1000  # entries of each chain
GOES_ON, UP_TO = "goes on with a broken record", "goes on after"


def bad_ends(connection: Connection, known: Sequence[Anchor]) -> list[str]:
    """What is wrong with the end of each chain, in words; empty where all of them hold."""
    accepted_at, accepted = _accepted(connection)
    lost = connection.execute(select(Restored.backup_at, Restored.restored_at)).all()
    binding = [anchor for anchor in known if not _is_explained(anchor, accepted_at, lost)]
    newest: dict[str, int] = {}
    for anchor in binding:
        newest[anchor["chain"]] = max(newest.get(anchor["chain"], 0), anchor["count"])
    chains = Chains(binding)
    ends = select(Audit.chain, func.max(Audit.seq).label("seq")).group_by(Audit.chain)
    lasts: dict[str, int] = {row.chain: row.seq for row in connection.execute(ends)}
    for chain, last in lasts.items():
        before = min(last - LAST, newest.get(chain, last) - 1)
        _follow(connection, chains, chain, max(before, accepted.get(chain, 0), 0))
    cut = [chain for chain, seq in accepted.items() if lasts.get(chain, 0) < seq]
    gone = "the tail was cut since somebody went on"
    return chains.finish() + [f"trail: {chain}, entry {lasts.get(chain, 0) + 1}: {gone}" for chain in cut]


def _follow(connection: Connection, chains: Chains, chain: str, before: int) -> None:
    """Every entry of a chain after the one numbered `before`, whose hash is taken as it stands."""
    rows = select(Audit.__table__).where(Audit.chain == chain, Audit.seq >= before).order_by(Audit.seq)
    chains.heads[chain] = (before, GENESIS)
    for row in connection.execute(rows, execution_options={"yield_per": LAST}).mappings():
        if row["seq"] == before:
            chains.heads[chain] = (before, row["hash"])
            continue
        text = canonical([row[name] for name in HASHED])
        chains.take(chain, row["seq"], row["previous"], row["hash"], text)


def _is_explained(anchor: Anchor, accepted_at: datetime | None, lost: Sequence[Any]) -> bool:
    """Whether what it speaks of was lost by a restore, or lies before the instant at which somebody went on."""
    at = datetime.fromisoformat(anchor["at"])
    gone_on = accepted_at is not None and at <= accepted_at
    return gone_on or any(row.backup_at < at <= row.restored_at for row in lost)


def _accepted(connection: Connection) -> tuple[datetime | None, dict[str, int]]:
    """When somebody last went on with a broken record, and after which entry of each chain."""
    decided = select(Audit.at, Audit.changes).where(Audit.chain == TRIAL_CHAIN, Audit.action == GOES_ON)
    row = connection.execute(decided.order_by(Audit.seq.desc()).limit(1)).one_or_none()
    if row is None:
        return None, {}
    places = (place.rpartition("/") for _, place, column, *_ in row.changes if column == UP_TO)
    return row.at, {chain: int(seq) for chain, _, seq in places}
