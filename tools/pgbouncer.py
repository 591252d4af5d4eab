"""A PgBouncer in transaction mode in front of a PostgreSQL of this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from photofeed.embedded.account import give_to_account, run_as_account
from photofeed.settings import Settings
from tools.listening import free_port, running_server

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
IS_INSTALLED = Path(PGBOUNCER).exists()


@contextmanager
def running_pgbouncer(settings: Settings, folder: Path, sessions: int) -> Iterator[Settings]:
    """These settings with PgBouncer in front of their PostgreSQL, of which all clients share so many sessions.

    Raises:
        RuntimeError: it does not start; the message is its log.
    """
    known = {name: str(value) for name, value in conninfo_to_dict(settings.database_url.get_secret_value()).items()}
    port, users, config = free_port(), folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{known["user"]}" "{known["password"]}"\n')
    server = f"host={known['host']} port={known['port']} dbname={known['dbname']}"
    config.write_text(f"""
[databases]
{known["dbname"]} = {server} connect_query='set statement_timeout = 60000'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
""")
    for path in (folder, users, config):
        give_to_account(path)
    command = run_as_account([PGBOUNCER, str(config)], config)
    with running_server(command, port, folder / "pgbouncer.log"):
        address = f"postgresql://{known['user']}:{known['password']}@127.0.0.1:{port}/{known['dbname']}"
        direct = settings.database_url
        yield settings.model_copy(update={"database_url": SecretStr(address), "database_direct_url": direct})
