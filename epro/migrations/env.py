"""How Alembic runs: always on the connection that `epro.store.migrating` hands it."""

from alembic import context

from epro.store.migrating import TABLES

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
