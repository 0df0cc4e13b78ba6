"""Logits, points and small models, for the tests of distillation."""

import numpy as np
import tensorflow as tf


def softmax(logits, temperature=1.0):
    odds = np.exp(np.asarray(logits, np.float64) / temperature)
    return odds / odds.sum(axis=-1, keepdims=True)


def logits_of(rows, classes, seed=9, dtype="float32"):
    return np.random.RandomState(seed).normal(0, 2, (rows, classes)).astype(dtype)


def blobs(count, seed=4):
    """Three classes of points in the plane, 10% of the area in doubt."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, 3, count)
    centres = np.array([[0, 1], [0.9, -0.5], [-0.9, -0.5]])
    return (centres[labels] + random.normal(0, 0.45, (count, 2))).astype("float32"), labels


def network(width):
    layers = tf.keras.layers
    return tf.keras.Sequential([layers.Dense(width, activation="relu", input_shape=(2,)), layers.Dense(3)])


def expert(scale=5.0):
    """A teacher with fixed weights, towards each class's centre: right about as often as one can be."""
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])
    model.set_weights([scale * np.float32([[0, 0.9, -0.9], [1, -0.5, -0.5]]), np.zeros(3, "float32")])
    return model


def accuracy(model, x, labels):
    return np.mean(model.predict(x, verbose=0).argmax(axis=1) == labels)
