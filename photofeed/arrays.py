"""Array types that several packages use."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
