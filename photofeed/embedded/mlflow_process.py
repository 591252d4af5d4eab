"""`python -m photofeed.embedded.mlflow_process PORT`: MLflow's tracking server in one process.

`mlflow server` keeps a parent process that only waits for the server. Both import MLflow: 190 MB and several seconds of
processor time, twice. The environment is that of `mlflow server`, with the same variables.
"""

import os
import sys
import uuid

from photofeed.embedded.ports import LOOPBACK

ARTIFACT_ROOT = "mlflow-artifacts:/"  # clients read and write artifacts through the server


def main(port: int) -> None:
    """Serve on a port of this machine until a signal. The database gets its tables if it has none."""
    from mlflow.environment_variables import _MLFLOW_SERVER_BOOT_ID, _MLFLOW_SGI_NAME
    from mlflow.server import constants

    database = os.environ["MLFLOW_BACKEND_STORE_URI"]
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: database,
        constants.REGISTRY_STORE_URI_ENV_VAR: database,
        constants.ARTIFACT_ROOT_ENV_VAR: ARTIFACT_ROOT,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: os.environ["MLFLOW_ARTIFACTS_DESTINATION"],
        _MLFLOW_SGI_NAME.name: "uvicorn",
        _MLFLOW_SERVER_BOOT_ID.name: uuid.uuid4().hex,
    }
    import uvicorn
    from mlflow.server.fastapi_app import app  # reads the variables
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(database, database, ARTIFACT_ROOT)
    uvicorn.run(app, host=LOOPBACK, port=port, workers=1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
