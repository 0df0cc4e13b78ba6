"""Learning machines on data that can be told apart."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within

pytestmark = needs("ml")


def groups(seed=0, count=150):
    """Points about three centres, and which is whose."""
    random = np.random.RandomState(seed)
    centres = np.array([[0.0, 0.0], [6.0, 1.0], [2.0, 7.0]])
    truth = random.randint(0, 3, count)
    return (centres[truth] + random.standard_normal((count, 2)) * 0.8).astype(np.float32), truth.astype(
        np.int32
    )


def two_groups(seed=0):
    points, truth = groups(seed)
    return points[truth < 2], truth[truth < 2]


def answers(model, points):
    return model.predict(points)[1].ravel()


def test_linear_svm_has_the_widest_margin():
    points = np.array([[0, 0], [0, 2], [-1, 1], [4, 0], [4, 2], [5, 1]], np.float32)
    svm = cv2.ml.SVM_create()
    svm.setType(cv2.ml.SVM_C_SVC)
    svm.setKernel(cv2.ml.SVM_LINEAR)
    svm.setC(1000)
    svm.setTermCriteria((cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10000, 1e-9))
    svm.train(points, cv2.ml.ROW_SAMPLE, np.array([-1, -1, -1, 1, 1, 1], np.int32))
    # The margin runs along x = 2, half its width is 2.
    offset, _, _ = svm.getDecisionFunction(0)
    weights = svm.getSupportVectors()[0]
    assert_within(np.abs(weights), (0.5, 0), 1e-3)
    assert abs(offset) == pytest.approx(1, abs=1e-3)
    assert_equal(answers(svm, np.array([[1.8, 5], [2.2, -5]], np.float32)), [-1, 1])


def svm():
    model = cv2.ml.SVM_create()
    model.setKernel(cv2.ml.SVM_RBF)
    model.setGamma(0.5)
    model.setC(1)
    return model


def network():
    model = cv2.ml.ANN_MLP_create()
    model.setLayerSizes(np.array([2, 8, 3]))
    model.setActivationFunction(cv2.ml.ANN_MLP_SIGMOID_SYM)
    model.setTrainMethod(cv2.ml.ANN_MLP_RPROP)
    return model


def forest():
    model = cv2.ml.RTrees_create()
    model.setMaxDepth(6)
    return model


def tree():
    model = cv2.ml.DTrees_create()
    model.setCVFolds(0)
    model.setMaxDepth(6)
    return model


MODELS = [svm, forest, tree, cv2.ml.KNearest_create, cv2.ml.NormalBayesClassifier_create]


@pytest.mark.parametrize("create", MODELS)
def test_classifier_separates_what_it_has_not_seen(create):
    model = create()
    points, truth = groups(0)
    model.train(points, cv2.ml.ROW_SAMPLE, truth)
    unseen, answer = groups(1)
    assert np.mean(answers(model, unseen) == answer) > 0.97


@pytest.mark.parametrize("create", [svm, forest, tree])
def test_saved_classifier_gives_the_same_answers(create, tmp_path):
    model = create()
    points, truth = groups(0)
    model.train(points, cv2.ml.ROW_SAMPLE, truth)
    path = str(tmp_path / "model.yml")
    model.save(path)
    again = type(model).load(path) if hasattr(type(model), "load") else LOADERS[create](path)
    assert_equal(answers(again, groups(1)[0]), answers(model, groups(1)[0]))
    assert len(set(answers(again, groups(1)[0]))) == 3


LOADERS = {svm: cv2.ml.SVM_load, forest: cv2.ml.RTrees_load, tree: cv2.ml.DTrees_load}


def test_boosting_and_logistic_regression_separate_two_groups():
    points, truth = two_groups(0)
    unseen, answer = two_groups(1)
    boost = cv2.ml.Boost_create()
    boost.train(points, cv2.ml.ROW_SAMPLE, truth)
    assert np.mean(answers(boost, unseen) == answer) > 0.97
    regression = cv2.ml.LogisticRegression_create()
    regression.setLearningRate(0.1)
    regression.setIterations(300)
    middle = points.mean(axis=0)
    regression.train(points - middle, cv2.ml.ROW_SAMPLE, truth.astype(np.float32))
    assert np.mean(answers(regression, unseen - middle) == answer) > 0.97


def test_network_learns():
    points, truth = groups(0)
    model = network()
    model.train(points / 5 - 1, cv2.ml.ROW_SAMPLE, np.eye(3, dtype=np.float32)[truth])
    unseen, answer = groups(1)
    assert np.mean(model.predict(unseen / 5 - 1)[1].argmax(axis=1) == answer) > 0.95


def test_nearest_neighbours_are_numpys():
    points, truth = groups(0)
    unseen, _ = groups(1)
    model = cv2.ml.KNearest_create()
    model.train(points, cv2.ml.ROW_SAMPLE, truth)
    _, votes, labels, distances = model.findNearest(unseen, 5)
    squared = ((unseen[:, None].astype(float) - points[None]) ** 2).sum(axis=2)
    order = np.argsort(squared, axis=1)[:, :5]
    assert_equal(labels, truth[order])
    assert_within(distances, np.take_along_axis(squared, order, axis=1), 1e-4)
    assert_equal(votes.ravel(), [np.bincount(row).argmax() for row in truth[order]])


def test_regression_fits_a_curve():
    x = np.linspace(-3, 3, 200).astype(np.float32)[:, None]
    model = cv2.ml.SVM_create()
    model.setType(cv2.ml.SVM_EPS_SVR)
    model.setKernel(cv2.ml.SVM_RBF)
    model.setGamma(1)
    model.setC(10)
    model.setP(0.01)
    model.train(x, cv2.ml.ROW_SAMPLE, np.sin(x))
    assert_within(model.predict(x)[1], np.sin(x), 0.03)


def test_mixture_of_gaussians():
    points, truth = groups(0, 600)
    model = cv2.ml.EM_create()
    model.setClustersNumber(3)
    _, _, labels, _ = model.trainEM(points)
    found = model.getMeans()
    for cluster in range(3):
        mean = points[truth == cluster].mean(axis=0)
        assert np.hypot(*(found - mean).T).min() < 0.1
    assert len({tuple(pair) for pair in np.stack([labels.ravel(), truth], 1)[:200].tolist()}) <= 5
    assert_within(model.getWeights().sum(), 1, 1e-6)


def test_training_data_is_split():
    points, truth = groups(0)
    data = cv2.ml.TrainData_create(points, cv2.ml.ROW_SAMPLE, truth)
    data.setTrainTestSplitRatio(0.8)
    assert data.getNTrainSamples() == 120 and data.getNTestSamples() == 30
    assert_equal(data.getClassLabels().ravel(), [0, 1, 2])
