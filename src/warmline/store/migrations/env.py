"""Run by Alembic: does the steps on the connection that it was given, in that one's transaction."""

from __future__ import annotations

from alembic import context

from warmline.store.migrations import VERSION_TABLE
from warmline.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
context.run_migrations()
