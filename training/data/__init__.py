"""From logs to a matrix: windows, impressions, labels, features and splits."""
