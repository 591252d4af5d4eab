"""Folder names in the lake: raw logs, history of feature views, quarantine; and the folder of the local mirror."""

ENGAGEMENT = "engagement"
FEED_SERVED = "feed_served"
FEATURES = "features"
QUARANTINE = "quarantine"
MIRROR = "lake-mirror"
