"""The pictures of which the films in films/ were made."""

import numpy as np

from reference import waves

WIDTH, HEIGHT, COUNT, RATE = 96, 64, 12, 25
# In each picture its number is written in black and white squares of this size, so that it is known after any codec.
SQUARE = 12
BITS = 4


def picture(number):
    """The picture of this number as BGR: smooth, in motion, with no grey in it."""
    base = np.roll(waves(HEIGHT, WIDTH), 3 * number, axis=1)
    found = np.stack([base, base[::-1], np.uint8(255) - base], axis=2)
    for bit in range(BITS):
        square = np.s_[2 : 2 + SQUARE, 2 + bit * SQUARE : 2 + (bit + 1) * SQUARE]
        found[square] = 235 if number >> bit & 1 else 20
    return np.ascontiguousarray(found)


def number_of(found):
    """The number that is written in a picture of this size."""
    middle = np.s_[2 + SQUARE // 4 : 2 + SQUARE * 3 // 4]
    squares = [found[middle, 2 + bit * SQUARE + 3 : 2 + (bit + 1) * SQUARE - 3] for bit in range(BITS)]
    return sum((square.mean() > 128) << bit for bit, square in enumerate(squares))


def alpha(colours):
    """The picture with a fourth channel: opaque on its left half, and half seen through on its right."""
    cover = np.full(colours.shape[:2], 255, np.uint8)
    cover[:, WIDTH // 2 :] = 128
    return np.dstack([colours, cover])
