from photofeed.topics import ARCHIVE_GROUP, FANOUT_GROUP, SUBSCRIPTIONS, UNHURRIED_GROUPS, quiet_pause


def test_groups_for_which_nobody_waits_pause_longer() -> None:
    assert quiet_pause(FANOUT_GROUP, 0.5) == 0.5
    assert quiet_pause(ARCHIVE_GROUP, 0.5) == 2.0
    assert quiet_pause(ARCHIVE_GROUP, 0.0) == 0.0
    assert SUBSCRIPTIONS.keys() > UNHURRIED_GROUPS
