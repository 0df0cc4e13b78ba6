import toy


def test_the_answer():
    assert toy.answer() == 42
