"""The type of NumPy's arrays, which has parameters for a type checker since NumPy 1.20, and defaults for them since 2.2."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = np.ndarray
