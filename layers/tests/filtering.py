"""A filter in plain numpy, to compare with."""

import numpy as np


def correlate(x, kernel, border):
    """Each channel of (batch, rows, columns, channels) with the kernel; what lies beyond the border as numpy.pad says.

    An even kernel has the smaller half before the pixel, as TensorFlow places it.
    """
    rows, columns = kernel.shape
    margins = [(0, 0), ((rows - 1) // 2, rows // 2), ((columns - 1) // 2, columns // 2), (0, 0)]
    padded = np.pad(x.astype(np.float64), margins, border)
    total = np.zeros(x.shape)
    for (row, column), tap in np.ndenumerate(kernel):
        total += tap * padded[:, row : row + x.shape[1], column : column + x.shape[2]]
    return total
