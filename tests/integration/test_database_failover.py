"""PostgreSQL's primary becomes a replica, as in a failover of a managed service."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from photofeed import database
from photofeed.embedded.stack import EmbeddedStack
from photofeed.unavailable import is_unavailable

if TYPE_CHECKING:
    from photofeed.settings import Settings


@pytest.fixture
def read_only(stack: EmbeddedStack) -> Iterator["Settings"]:
    """Settings of a server that refuses writes on connections opened from now on."""
    settings = stack.settings()
    name = "default_transaction_read_only"
    with database.connect(settings) as connection:
        connection.execute(f"alter role current_user set {name} = on")
        yield settings
        connection.execute(f"set {name} = off")
        connection.execute(f"alter role current_user reset {name}")


def test_a_refused_write_waits_and_its_connection_is_not_used_again(read_only: "Settings") -> None:
    with database.pool(read_only, size=1) as pool:
        with pool.connection() as connection:
            first = connection.info.backend_pid
        with pytest.raises(psycopg.Error) as refused, pool.connection() as connection:
            connection.execute("create table refused (id int)")
        assert is_unavailable(refused.value)
        with pool.connection() as connection:
            assert connection.info.backend_pid != first


def test_a_hostile_network_is_noticed_within_a_minute(stack: EmbeddedStack) -> None:
    with database.connect(stack.settings()) as connection:
        options = connection.info.get_parameters()
    waits = {name: int(options[name]) for name in ("keepalives_idle", "keepalives_interval", "keepalives_count")}
    assert waits["keepalives_idle"] + waits["keepalives_interval"] * waits["keepalives_count"] <= 60
    assert int(options["connect_timeout"]) <= 10
    assert int(options["tcp_user_timeout"]) <= 60_000


def test_limits_that_the_address_sets_itself_count(stack: EmbeddedStack) -> None:
    settings = stack.settings()
    address = make_conninfo(settings.database_url.get_secret_value(), connect_timeout=7)
    patient = settings.model_copy(update={"database_url": SecretStr(address)})
    with database.connect(patient) as connection:
        options = connection.info.get_parameters()
    assert (options["connect_timeout"], options["keepalives_idle"]) == ("7", "10")


def test_a_statement_that_a_migration_has_changed_waits_and_works_again(stack: EmbeddedStack) -> None:
    """psycopg prepares statements that are repeated; `select *` has another result after the migration."""
    settings = stack.settings()
    table = f"changed_{uuid.uuid4().hex}"
    statement = f"select * from {table}".encode()  # noqa: S608  our own name
    with database.pool(settings, size=1) as pool, database.connect(settings) as migration:
        migration.execute(f"create table {table} as select 1 as id".encode())
        for _ in range(10):
            with pool.connection() as connection:
                connection.execute(statement)
        migration.execute(f"alter table {table} add column more int".encode())
        with pytest.raises(psycopg.errors.FeatureNotSupported) as changed, pool.connection() as connection:
            connection.execute(statement)
        assert is_unavailable(changed.value)
        with pool.connection() as connection:
            assert connection.execute(statement).fetchall() == [{"id": 1, "more": None}]
        with pytest.raises(psycopg.errors.FeatureNotSupported) as never, pool.connection() as connection:
            connection.execute(f"select count(*) over () from {table} for update".encode())  # noqa: S608
        assert not is_unavailable(never.value)
        migration.execute(f"drop table {table}".encode())
