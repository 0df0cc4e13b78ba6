import os

import flow
import pytest


def test_an_operator_of_each_kind_computes():
    assert flow.relu([-1.0, 0.0, 2.5]) == [0.0, 0.0, 2.5]
    assert sum(flow.softmax([1.0, 2.0, 3.0])) == pytest.approx(1, abs=1e-6)
    assert flow.softmax([]) == []


def test_the_external_archive_is_linked_in():
    ones, others = flow.digest([1.0, 2.0]), flow.digest([2.0, 1.0])
    assert ones[0] != others[0]
    assert ones[1] == 1.0


def test_a_generated_function_is_documented():
    assert flow.relu.__doc__ == "What is positive of each value."


def test_what_is_wrong_is_refused():
    with pytest.raises(TypeError):
        flow.relu(["one"])
    with pytest.raises(ValueError):
        flow.relu([1.0] * 5000)


def test_the_notice_is_in_the_wheel():
    with open(os.path.join(os.path.dirname(flow.__file__), "NOTICE")) as notice:
        assert notice.read() == "operators on lists of numbers\n"
