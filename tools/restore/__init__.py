"""`make restore-test`: a backup of a running photofeed, restored into an empty stack, and compared."""
