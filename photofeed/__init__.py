"""Code that ingestion, serving and training share: settings, events, features, stores, the embedded stack."""

from photofeed.feast_loading import load_feast_unchecked

load_feast_unchecked()
