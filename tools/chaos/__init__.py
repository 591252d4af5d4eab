"""`make chaos`: steady load and faults on a whole stack, then a comparison of what was accepted with what is there."""
