"""`python -m serving.warm_up`: compile the loops of the feed path, as the installation does.

numba keeps the machine code beside the sources, or in the user's cache folder. The API compiles what is missing when it
starts: a dozen processor seconds.
"""

import numpy as np

from photofeed.online_store import column_kernel, hot_kernel, kernel
from serving.bootstrap import reranking_rules
from serving.feed import candidates
from serving.feed.rerankers import warm

_EXPLORE_SHARE = 0.1  # the machine code is that of any share


def warm_up() -> None:
    """Compile the loops, or load them from the cache."""
    warm(reranking_rules(_EXPLORE_SHARE, np.random.default_rng()))
    candidates.warm()
    kernel.warm()
    column_kernel.warm_columns()
    hot_kernel.warm_table()


if __name__ == "__main__":
    warm_up()
