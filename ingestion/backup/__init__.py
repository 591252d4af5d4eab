"""`photofeed backup` and `photofeed restore`: everything that cannot be made again, at one consistent point (ADR 57).

archive   the folder of a backup: its files, and the manifest that is written last
tables    a PostgreSQL database in one snapshot
objects   buckets
log       the event log, and how far each group has read it
make      makes a backup of a running photofeed
restore   restores one into empty systems
"""
