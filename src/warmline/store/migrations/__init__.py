"""How the tables came to be as they are, step by step; run by `Database` where it finds an older state.

A step that was released is not changed any more: whoever needs other tables writes the next one, and makes
`HEAD` its number. `tests/store/test_migrations.py` holds what the steps lead to against `store.schema`.
"""

from __future__ import annotations

import logging
from importlib import resources
from typing import Final

import sqlalchemy as sa

from warmline.errors import ConfigError

__all__ = ["HEAD", "VERSION_TABLE", "migrate", "version_of"]

HEAD: Final = "0002"
"""The newest step."""

VERSION_TABLE: Final = "warmline_version"
"""Holds the step that a database is at. Not Alembic's own name: other programs may live beside us."""


def version_of(connection: sa.Connection) -> str | None:
    """Return the step that a database is at; None for a new one, or one of before there were steps."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if version is None else str(version)


def migrate(connection: sa.Connection) -> None:
    """Bring a database to `HEAD`, in the transaction of the connection; nothing else may be at it.

    Raises:
        ConfigError: it is at a step that this version does not know.
    """
    version = version_of(connection)
    if version == HEAD:
        return
    # Here, because it takes a sixth of a second to import, and there is seldom anything to do.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)
    with resources.as_file(resources.files(__package__)) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        steps = ScriptDirectory.from_config(config)
        if version is not None and version not in {step.revision for step in steps.walk_revisions()}:
            raise ConfigError(
                f"it was made by a newer version of warmline (its tables are at {version}, and this version "
                f"knows them up to {HEAD}): take that version, or another database"
            )
        command.upgrade(config, HEAD)
