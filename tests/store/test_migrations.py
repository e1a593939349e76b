"""Databases of any age are brought to the tables of today, and nothing in them is lost."""

import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from dbos import DBOS, DBOSConfig

from tests.store.turns import arrived, turn
from warmline.errors import ConfigError
from warmline.store import migrations
from warmline.store.database import Database
from warmline.store.messages import Job, JobState, Messages
from warmline.store.migrations import HEAD, VERSION_TABLE, version_of
from warmline.store.schema import METADATA, WHATSAPP_JOBS
from warmline.store.turn_keeping import TurnKeeping

pytestmark = pytest.mark.wire

OLD = ("whatsapp_jobs", "whatsapp_sends", "whatsapp_notes", "whatsapp_statuses", "pauses", "workers")
"""The tables of the version before there were steps."""

JOB = Job("wa_1", "49151", "111", "text", '{"text": "when are you open"}', 1_000, 1_001.5, JobState.ANSWERED)


def version(database):
    with database.engine.connect() as connection:
        return version_of(connection)


def names(database):
    return set(sa.inspect(database.engine).get_table_names())


def test_the_steps_lead_to_the_tables_that_the_program_knows(store_url):
    with Database(store_url) as database, database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []
        assert version_of(connection) == HEAD


def test_the_newest_step_is_the_one_that_databases_are_brought_to():
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_of_the_version_before_is_taken_over_without_loss(store_url):
    before = Database(store_url)
    METADATA.create_all(before.engine, tables=[METADATA.tables[name] for name in OLD])
    Messages(before).add(JOB)
    before.engine.dispose()
    with Database(store_url) as database:
        assert Messages(database).get("wa_1") == JOB
        TurnKeeping(database, "worker").keep([arrived(turn())])
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            assert compare_metadata(context, METADATA) == []
    with Database(store_url) as database:
        assert Messages(database).get("wa_1") == JOB


def test_tables_of_others_are_left_alone(store_url):
    """The job engine's, and those of whoever uses Alembic in the same database."""
    engine = Database(store_url).engine
    if engine.dialect.name == "sqlite":
        DBOS(config=DBOSConfig(name="other", system_database_url=store_url, system_database_engine=engine))
        DBOS.launch()
        DBOS.destroy()
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('theirs')"))
    before = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    with Database(store_url) as database:
        assert names(database) == before | set(METADATA.tables) | {VERSION_TABLE}
        with database.engine.connect() as connection:
            theirs = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    assert theirs == ["theirs"]


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(store_url):
    with Database(store_url) as database, database.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"opening .*store\.url.*made by a newer version of warmline.*9999"):
        Database(store_url).__enter__()
    assert version(database) == "9999"
    database.engine.dispose()


def test_a_step_that_fails_leaves_the_database_as_it_was(store_url):
    before = Database(store_url)
    METADATA.create_all(before.engine, tables=[METADATA.tables[name] for name in OLD])
    with before.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE turn_texts (something INTEGER)"))
    there = names(before)
    with pytest.raises(ConfigError, match="opening"), before:
        pass
    assert names(before) == there
    before.engine.dispose()


def test_of_several_threads_that_open_a_new_database_one_migrates(store_url):
    problems = []

    def open_it() -> None:
        try:
            with Database(store_url) as database, database.engine.connect() as connection:
                connection.execute(sa.select(WHATSAPP_JOBS)).all()
        except Exception as problem:  # noqa: BLE001 - told of below
            problems.append(problem)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_of_several_processes_that_open_a_new_database_one_migrates(store_url):
    code = (
        "import sys\nfrom warmline.store.database import Database\nwith Database(sys.argv[1]): print('open')"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, store_url], stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [b"open\n"] * 4
    with Database(store_url) as database:
        assert version(database) == HEAD
