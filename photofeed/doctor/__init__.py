"""`photofeed doctor`: connects to every system of the settings and says what is wrong with it, and how to mend it.

finding       what a check reports
checkup       all checks, run side by side
postgres, redis_server, kafka_cluster, buckets, identity, certificates, model: the checks of one system each
clocks        how far the clock of a server is from the clock here
"""
