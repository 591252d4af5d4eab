"""Recording engagement: state into PostgreSQL, behaviour into the event log, each action once."""
