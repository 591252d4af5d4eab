"""The engagement path: events to counters, counters to Feast."""
