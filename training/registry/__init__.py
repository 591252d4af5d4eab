"""Everything that talks to MLflow: runs, registration, versions."""
