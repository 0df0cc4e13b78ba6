from __future__ import annotations

from dataclasses import replace

from kiln.attest import Seen, unseen

USUAL = Seen("here", "1000", "2026", "4", "6.1", "a b c", "")


def test_a_variation_that_did_not_reach_the_containers_is_said() -> None:
    rebuilt = replace(USUAL, hostname="another", clock="2028")
    missed = unseen(USUAL, rebuilt, ("hostname", "clock", "order", "paths"))
    assert missed == {"order": "the containers still see 'a b c'"}
