"""TrainingParameters as the `params` of LightGBM."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photofeed.errors import InvalidError
from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from training.data.dataset import Dataset
from training.data.labels import GRADE_GAINS, UNWELCOME
from training.ranker.parameters import EVENTS_PER_FEATURE, VALIDATION_CUTOFF, TrainingParameters


def lightgbm_labels(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Grades, (rows,), as LightGBM takes them: from 0. The `label_gain` of its params fits them.

    Lambdas depend on differences of gains only, so that a constant more on each gain changes just their scale by slate.
    With gains below 0, the best DCG of a slate without engagement would be negative, and LightGBM learn the reverse.
    """
    return labels - np.int32(UNWELCOME)


def decided(parameters: TrainingParameters, part: Dataset) -> TrainingParameters:
    """The parameters of a training on `part`: with its learning rate, and whether it learns from all features.

    Raises:
        InvalidError: `directed_only`, and no feature has a direction.
    """
    directed = any(_directions(part.feature_names, part.program))
    if parameters.directed_only and not directed:
        raise InvalidError("directed_only: no feature of the program has a declared direction")
    few = directed and part.events < EVENTS_PER_FEATURE * len(part.feature_names)
    only = few if parameters.directed_only is None else parameters.directed_only
    return replace(parameters.resolved(), directed_only=only)


def lightgbm_params(
    parameters: TrainingParameters, feature_names: tuple[str, ...], program: FeatureProgram = PROGRAM
) -> dict[str, Any]:
    """The `params` of lightgbm.train for a lambdarank model of these features.

    Features that the program does not declare, such as a column added in a notebook, have no direction.
    """
    directions = _directions(feature_names, program)
    # A split by a feature that contributes nothing has no gain, so there is none. Interaction constraints would do the
    # same, except that LightGBM 4.7 then fails with several workers.
    few = {"feature_contri": [float(direction != 0) for direction in directions], "feature_fraction": 1.0}
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
        "monotone_constraints": directions if parameters.monotone else [0] * len(directions),
        "seed": parameters.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": parameters.threads,
        "verbosity": -1,
        **(few if parameters.directed_only else {}),
    }


def _directions(feature_names: tuple[str, ...], program: FeatureProgram) -> list[int]:
    declared = {feature.name: feature.monotone for feature in program.features}
    return [declared.get(name, 0) for name in feature_names]
