"""Evaluation of rankers: metrics by segment, baselines, comparisons, reports."""
