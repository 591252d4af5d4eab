"""What a feature is worth at a moment: pure functions shared by the worker, serving and training."""
