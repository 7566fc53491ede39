"""How Alembic runs: always on the connection that `epro.store.migrating` hands it."""

from typing import Any, Literal

from alembic import context

from epro.store.migrating import TABLES
from epro.store.sealing import seal, unseal
from scheduler.instants import Instant


def written(kind: str, thing: Any, autogenerate: Any) -> str | Literal[False]:
    """Our own column type as a migration writes it."""
    if kind == "type" and isinstance(thing, Instant):
        autogenerate.imports.add("from scheduler.instants import Instant")
        return "Instant()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    render_as_batch=True,
    compare_type=True,
    render_item=written,
)
with context.begin_transaction():
    unseal(context.get_bind())
    context.run_migrations()
    if not context.is_offline_mode() and context.get_bind().dialect.has_table(context.get_bind(), "audit"):
        seal(context.get_bind())
