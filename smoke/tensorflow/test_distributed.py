"""Two servers over gRPC on the loopback interface."""

import socket

import numpy as np
import pytest
import tensorflow as tf

from reference import assert_within, noise


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "127.0.0.1:{}".format(listener.getsockname()[1])


@pytest.fixture(scope="module")
def cluster():
    """The target of a worker beside a parameter server. Both live as long as the process: 1.15 cannot stop them."""
    jobs = tf.train.ClusterSpec({"ps": [free_address()], "worker": [free_address()]})
    servers = [tf.distribute.Server(jobs, job_name=job, task_index=0) for job in ("ps", "worker")]
    yield servers[1].target
    del servers


def test_variable_on_one_server_is_trained_by_the_other(cluster):
    x = noise(100, 4)
    y = x.dot(np.float32([[1], [2], [-1], [0.5]]))
    with tf.device("/job:ps/task:0"):
        w = tf.compat.v1.get_variable("distant", initializer=tf.zeros([4, 1]))
    with tf.device("/job:worker/task:0"):
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
    step = tf.compat.v1.train.GradientDescentOptimizer(0.3).minimize(loss)
    with tf.compat.v1.Session(cluster) as session:
        devices = {device.name for device in session.list_devices()}
        assert {
            "/job:ps/replica:0/task:0/device:CPU:0",
            "/job:worker/replica:0/task:0/device:CPU:0",
        } <= devices
        session.run(w.initializer)
        for _ in range(60):
            session.run(step)
        assert_within(session.run(w), [[1], [2], [-1], [0.5]], 1e-3)
    # The server keeps the variable when a session ends.
    with tf.compat.v1.Session(cluster) as session:
        assert_within(session.run(w), [[1], [2], [-1], [0.5]], 1e-3)


def test_large_tensor_crosses_unchanged(cluster):
    value = noise(1000, 1000)
    given = tf.compat.v1.placeholder(tf.float32, value.shape)
    with tf.device("/job:ps/task:0"):
        there = tf.identity(given)
    with tf.device("/job:worker/task:0"):
        back = there * 1
    with tf.compat.v1.Session(cluster) as session:
        np.testing.assert_array_equal(session.run(back, {given: value}), value)


def test_error_of_the_other_server_comes_back(cluster):
    with tf.device("/job:ps/task:0"):
        broken = tf.debugging.check_numerics(tf.math.log(-tf.ones([2])), "over there")
    refused = pytest.raises(tf.errors.InvalidArgumentError, match="over there")
    with tf.compat.v1.Session(cluster) as session, refused:
        session.run(broken)
