"""TrainingParameters as the `params` of LightGBM."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from training.data.labels import GRADE_GAINS, UNWELCOME
from training.ranker.parameters import VALIDATION_CUTOFF, TrainingParameters


def lightgbm_labels(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Grades, (rows,), as LightGBM takes them: from 0. The `label_gain` of its params fits them.

    Lambdas depend on differences of gains only, so that a constant more on each gain changes just their scale by slate.
    With gains below 0, the best DCG of a slate without engagement would be negative, and LightGBM learn the reverse.
    """
    return labels - np.int32(UNWELCOME)


def lightgbm_params(
    parameters: TrainingParameters, feature_names: tuple[str, ...], program: FeatureProgram = PROGRAM
) -> dict[str, Any]:
    """The `params` of lightgbm.train for a lambdarank model of these features.

    Features that the program does not declare, such as a column added in a notebook, have no direction.
    """
    directions = {feature.name: feature.monotone for feature in program.features} if parameters.monotone else {}
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [VALIDATION_CUTOFF],
        "label_gain": [gain - GRADE_GAINS[0] for gain in GRADE_GAINS],
        "lambdarank_truncation_level": parameters.truncation_level,
        "learning_rate": parameters.resolved().learning_rate,
        "num_leaves": parameters.num_leaves,
        "min_data_in_leaf": parameters.min_data_in_leaf,
        "feature_fraction": parameters.feature_fraction,
        "bagging_fraction": parameters.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": parameters.lambda_l2,
        "monotone_constraints": [directions.get(name, 0) for name in feature_names],
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": parameters.threads,
        "verbosity": -1,
    }
