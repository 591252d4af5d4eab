"""Values of features at a moment: pure functions that the worker, serving and training share."""
