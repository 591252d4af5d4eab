"""Bulk import of somebody's own data: people, items, follows, impressions and actions, from files.

`run.py` lists the stages in order. Rows are checked in DuckDB, which spills to disk, so an import may be larger than
memory. Each refused row is written to a file with its reason; the others go on.
"""
