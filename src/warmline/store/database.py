"""The database: a file of SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from platformdirs import user_data_path
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from warmline.errors import ConfigError
from warmline.store.migrations import migrate

__all__ = ["Database", "begin_reading", "begin_writing", "database_url"]

_BUSY_MS: Final = 30_000
"""How long a writer of SQLite waits for another one."""

_ALONE: Final = {
    "sqlite": sa.text("BEGIN IMMEDIATE"),
    "postgresql": sa.text("SELECT pg_advisory_xact_lock(7797109)"),
}

_CONNECTIONS: Final = 10
"""Of PostgreSQL, for a process."""

_PATIENCE: Final = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 30_000}
"""With a PostgreSQL that is not to be reached, by libpq's names: seconds, seconds, milliseconds. What the URL
says comes first."""


def database_url(url: str) -> str:
    """Return the URL of the database: `url`, or that of a file in the user's data folder."""
    return url or f"sqlite:///{user_data_path('warmline', appauthor=False) / 'warmline.db'}"


def begin_reading(connection: sa.Connection) -> None:
    """Have all that is read by a connection, from its first statement on, be of one instant."""
    if connection.dialect.name == "sqlite":
        # Past SQLAlchemy's events, by which writers stand in a line: whoever reads stands in none.
        connection.connection.cursor().execute("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")


def begin_writing(connection: sa.Connection) -> None:
    """Begin a transaction that changes what it has read, as SQLite's one writer; PostgreSQL locks rows."""
    if connection.dialect.name == "sqlite":
        connection.execute(_ALONE["sqlite"])


class Database:
    """A pool of connections. Its methods block: for worker threads alone.

    Use as a context manager; leaving it closes every connection.
    """

    def __init__(self, url: str) -> None:
        """Prepare; nothing is opened.

        Args:
            url: `sqlite:///FILE` or `postgresql://…`.

        Raises:
            ConfigError: it is neither.
        """
        self.url = url
        """As it was given."""

        try:
            parsed = sa.make_url(url)
        except SQLAlchemyError:
            raise ConfigError('store.url: give "sqlite:///FILE" or "postgresql://USER@HOST/NAME"') from None
        # Errors name no parameters: those are what people said, and errors are logged.
        match parsed.get_backend_name():
            case "sqlite":
                self._file = Path(parsed.database or "") if parsed.database else None
                self.engine = sa.create_engine(parsed, hide_parameters=True)
                event.listen(self.engine, "connect", _prepare_sqlite)
                _Writers().attend(self.engine)
            case "postgresql":
                self._file = None
                driver = parsed.set(drivername="postgresql+psycopg")
                self.engine = sa.create_engine(
                    driver,
                    connect_args={name: each for name, each in _PATIENCE.items() if name not in driver.query},
                    pool_size=_CONNECTIONS,
                    pool_pre_ping=True,
                    hide_parameters=True,
                )
            case other:
                raise ConfigError(f"store.url: {other} is not known here; it is sqlite or postgresql")
        self.shown = parsed.render_as_string(hide_password=True)
        """The URL for people."""

    @property
    def is_there(self) -> bool:
        """Whether it has been made: opening a file that is not there makes it. Of a server, True."""
        return self._file is None or self._file.exists()

    def __enter__(self) -> Self:
        """Bring the tables to where this version needs them.

        Raises:
            ConfigError: the database can't be had, or a newer version made it.
        """
        try:
            if self._file is not None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
            with self.engine.begin() as connection:
                # Of several processes that start at once one migrates, and the others wait.
                connection.execute(_ALONE[self.engine.dialect.name])
                migrate(connection)
        except (SQLAlchemyError, OSError, ConfigError) as error:
            self.engine.dispose()
            problem = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise ConfigError(f"opening {self.shown} (store.url): {problem}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.engine.dispose()

    def reopen(self) -> None:
        """Drop the connections, and open anew: it may have been replaced, or be gone, and then it is made.

        Raises:
            ConfigError: as on entering.
        """
        self.engine.dispose()
        self.__enter__()


class _Writers:
    """Has the threads that write to SQLite stand in a line.

    SQLite lets whoever finds it busy look again after ever longer pauses, up to a tenth of a second, while
    others that come later find it free. Other processes' writers are met that way still, and so is one that
    does not get its turn here.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def attend(self, engine: sa.Engine) -> None:
        """Watch an engine's connections: each has its turn from its first write until it is given back."""
        event.listen(engine, "before_cursor_execute", self._before_statement)
        event.listen(engine, "checkin", self._given_back)

    def _before_statement(
        self, connection: sa.Connection, _cursor: object, statement: str, *_others: object
    ) -> None:
        info = connection.info
        if self in info or statement.lstrip()[:6].upper() in ("SELECT", "PRAGMA"):
            return
        if self._turn.acquire(timeout=_BUSY_MS / 1000):
            info[self] = True

    def _given_back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        if record.info.pop(self, None):
            self._turn.release()


def _prepare_sqlite(connection: Any, _: object) -> None:
    # A transaction that begins by reading and then writes would fail where another writes meanwhile.
    connection.isolation_level = "IMMEDIATE"
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # What is acknowledged stands, also where the machine loses its power.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")  # The job engine's tables rest on it.
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.close()
