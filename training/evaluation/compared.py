"""The ranking features that a comparison of rankers takes: those of the models, the baselines and the segments."""

from photofeed.features.program import FeatureProgram
from photofeed.features.ranking import PROGRAM
from training.evaluation.baselines import ORDERS
from training.evaluation.segments import SEGMENTS

EVALUATION = PROGRAM.select(
    tuple(
        dict.fromkeys(
            [name for order in ORDERS.values() for name in order.features] + [segment.feature for segment in SEGMENTS]
        )
    )
)


def compared_program(first: FeatureProgram, *others: FeatureProgram) -> FeatureProgram:
    """The features of all these models, the first one's first, and those that every evaluation takes.

    Raises:
        InvalidError: a name has two meanings.
    """
    program = first
    for other in (*others, EVALUATION):
        program = program.followed_by(other)
    return program
