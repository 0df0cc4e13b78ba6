from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.errors import UsageError
from kiln.recipe.cpu import FEATURES, canonical


@given(st.lists(st.sampled_from(list(FEATURES)), min_size=1), st.randoms(use_true_random=False))
def test_a_list_has_one_form_whatever_its_order_case_and_repetitions(
    features: list[str], chance: object
) -> None:
    written = ", ".join(feature.upper() for feature in [*features, *features[:1]])
    found = canonical(written)
    assert set(found.split(",")) == set(features)
    assert canonical(found) == found
    assert found == canonical(",".join(sorted(features)))


def test_native_is_what_the_machine_has(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nflags\t\t: fpu pni sse4_2 avx avx_vnni\n\nflags\t\t: fma\n"
    )
    assert canonical(" Native ", tmp_path / "cpuinfo") == "sse3,sse4.2,avx"


def test_the_baseline_is_no_list() -> None:
    assert canonical("Baseline") == "baseline"


@pytest.mark.parametrize("text", ["", " , ", "avx3", "avx,baseline", "native,avx", "avx2;fma"])
def test_what_is_no_feature_is_answered_with_those_there_are(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        canonical(text)
    assert repr(text) in str(caught.value)
    assert str(caught.value).endswith(", ".join(FEATURES))
