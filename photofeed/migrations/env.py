"""Entry point of Alembic: runs the migrations on the connection of `photofeed.database.migrate`.

Each migration has a transaction of its own, so that its locks end with it.
"""

from alembic import context

from photofeed.database import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
