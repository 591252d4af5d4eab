"""The ranker: parameters, training, hyperparameter search, heads, leak checks."""
