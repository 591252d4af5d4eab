"""Reranking: rules about a slate as a whole, which no score of a single post can keep."""
