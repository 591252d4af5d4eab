"""Entry point of Alembic: runs the migrations on the connection of `photofeed.database.migrate`."""

from alembic import context

from photofeed.database import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
