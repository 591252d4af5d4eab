"""A flavour of MLflow whose `pyfunc` returns the scores of servers, in place of what the library returns."""

import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from photofeed.models import version_scores

LOADER = Path(version_scores.__file__)


class ScoredFlavour:
    """Saves a model as `flavour` does, `mlflow.lightgbm` or `mlflow.onnx`, and version_scores.py as its loader.

    `extra_files` must have the contract.
    """

    def __init__(self, flavour: Any) -> None:
        self._flavour = flavour
        self.__name__: str = flavour.__name__  # what MLflow states as the kind of the model

    def save_model(self, path: str, mlflow_model: Any, **given: Any) -> None:
        """See `mlflow.lightgbm.save_model`."""
        from mlflow.models.model import MLMODEL_FILE_NAME
        from mlflow.pyfunc import FLAVOR_NAME, MAIN

        content = LOADER.read_bytes()
        # Python loads a module once per name: versions of other releases have another loader.
        name = f"photofeed_scores_{hashlib.sha256(content).hexdigest()[:12]}"
        with tempfile.TemporaryDirectory() as folder:
            loader = Path(folder) / f"{name}.py"
            loader.write_bytes(content)
            self._flavour.save_model(path=path, mlflow_model=mlflow_model, code_paths=[str(loader)], **given)
        mlflow_model.flavors[FLAVOR_NAME][MAIN] = name
        mlflow_model.save(str(Path(path) / MLMODEL_FILE_NAME))


def log_scored(flavour: Any, library: str, **model: Any) -> Any:
    """Log a model to the active run, by a ScoredFlavour that needs `library`. Returns MLflow's ModelInfo."""
    from mlflow.models import Model

    # without requirements MLflow loads the model in another process to infer them
    needed = [f"{library}=={version(library)}"]
    return Model.log(artifact_path=None, name="model", flavor=ScoredFlavour(flavour), pip_requirements=needed, **model)
