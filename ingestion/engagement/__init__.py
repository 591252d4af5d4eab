"""The engagement path: from events to counters, from counters to Feast."""
