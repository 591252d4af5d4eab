"""Training, evaluation and promotion of the ranking model."""
