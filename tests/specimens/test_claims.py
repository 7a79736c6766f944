"""The statements of the documents, computed: which of them are true."""

from __future__ import annotations

import pytest

from tests.specimens.claims import CLAIMS, Claim

# What we have judged by hand, to be met by what is computed.
FALSE = {
    "GoogLeNet has only 5 million parameters.",
    "GoogLeNet has only 5 million parameters, by its paper.",
    "AlexNet's two fully connected layers have nearly 1 GB.",
    "AlexNet's fully connected layers have nearly 1 GB.",
}


@pytest.mark.parametrize("claim", CLAIMS, ids=[f"{claim.document}-{claim.says}" for claim in CLAIMS])
def test_a_claim_is_as_true_as_we_say(claim: Claim) -> None:
    true, evidence = claim.found()
    assert true is (claim.says not in FALSE), evidence


def test_a_claim_can_be_false_and_true() -> None:
    assert {claim.says for claim in CLAIMS} >= FALSE
    assert {claim.found()[0] for claim in CLAIMS} == {True, False}


@pytest.mark.parametrize(
    ("says", "evidence"),
    [
        ("The weights of VGG-16 take more than 500 MB.", "138,357,544 parameters, 528 MiB in float32"),
        ("GoogLeNet has only 5 million parameters.", "6,998,552 parameters, without the auxiliary heads"),
        ("GoogLeNet has only 5 million parameters, by its paper.", "sum to 6.96 million"),
        ("AlexNet's two fully connected layers have nearly 1 GB.", "172.0 MB"),
        ("AlexNet's fully connected layers have nearly 1 GB.", "234.5 MB"),
    ],
)
def test_the_numbers_are_those_of_a_count_by_hand(says: str, evidence: str) -> None:
    (told,) = [claim.found()[1] for claim in CLAIMS if claim.says == says]
    assert evidence in told
