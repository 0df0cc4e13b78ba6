import toy

# cudaErrorInsufficientDriver and cudaErrorNoDevice: CUDA's run time was found, and says that there is nothing to run on.
NOTHING_TO_RUN_ON = (35, 100)


def test_the_kernel_answers_or_the_run_time_says_why_not():
    error, answer = toy.answer()
    assert error in NOTHING_TO_RUN_ON or (error, answer) == (0, 42)
