"""`make test-upgrade`: version 0.1.0 and this one side by side on the same stores, then this one alone."""
