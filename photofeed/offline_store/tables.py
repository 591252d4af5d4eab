"""Names in the lake: the raw logs, beside the history of the feature views; and the folder it is mirrored to."""

ENGAGEMENT = "engagement"
FEED_SERVED = "feed_served"
FEATURES = "features"
QUARANTINE = "quarantine"
MIRROR = "lake-mirror"
