"""Whether what was built computes at all."""

from tensorflow.python import ops

if __name__ == "__main__":
    assert ops.relu([-1.0, 2.0]) == [0.0, 2.0]
