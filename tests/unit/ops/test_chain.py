"""The chain of manifests, verified: what is removed, altered or forked is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from dicom_ingest.contracts.messages.manifest import (
    EarlierLink,
    ManifestLink,
    encode_manifest,
    stream_manifest,
)
from dicom_ingest.operators.custody.chain import Report, Verification
from dicom_ingest.operators.custody.manifests import Found, expired_before
from tests.support.workflow.series import MORNING, Announced

EDGE = "dicom-ingest-edge1"
NOW = datetime(2026, 11, 28, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Sent:
    """A manifest as it was put, and its row of the index."""

    found: Found
    row: dict[str, Any]


def sent(link: ManifestLink | None, number: int = 1) -> Sent:
    announced = Announced(chain=link, sequence=number, received_at=MORNING + timedelta(hours=6 * number))
    encoded = encode_manifest(announced.manifest())
    stream = stream_manifest(encoded.body)
    key, sealed_at = str(announced.manifest_key), stream.transfer.sealed_at
    row = {
        "manifest_key": key,
        "manifest_sha256": encoded.sha256,
        "chain_id": link.chain_id if link else None,
        "chain_number": link.number if link else None,
        "sealed_at": sealed_at,
    }
    return Sent(Found(key, sealed_at, sealed_at.date(), encoded.sha256, stream.transfer.chain), row)


def chain(length: int, **more: Any) -> list[Sent]:
    """An unbroken chain. `more`: of its first link."""
    chain_id, before = str(uuid4()), None
    links: list[Sent] = []
    for number in range(1, length + 1):
        first = {"begins": "new journal", **more} if number == 1 else {}
        link = ManifestLink(chain_id=chain_id, number=number, previous_sha256=before, **first)
        links.append(sent(link, number))
        before = links[-1].found.sha256
    return links


def verify(found: Sequence[Sent], known: Sequence[Sent] | None = None, **more: Any) -> Report:
    """`found`: in S3; `known`: in the index, by default the same."""
    known = found if known is None else known
    return Verification(EDGE, NOW, **more).verify([one.found for one in found], [one.row for one in known])


def told(report: Report) -> list[tuple[str, int | None]]:
    return [(finding.kind, finding.number) for finding in report.findings]


@pytest.mark.parametrize("known", [True, False], ids=["indexed", "not indexed"])
def test_an_unbroken_chain_is_whole(known: bool) -> None:
    links = chain(5)
    report = verify(links, links if known else [])
    assert report.whole, report.findings
    assert (report.manifests, report.chained, report.chains) == (5, 5, 1)


@pytest.mark.parametrize("known", [True, False], ids=["indexed", "not indexed"])
def test_a_manifest_that_was_removed_is_named(known: bool) -> None:
    links = chain(5)
    report = verify([*links[:2], *links[3:]], links if known else [])
    assert told(report) == [("absent", 3)]
    assert report.findings[0].manifest_key == (links[2].found.key if known else None)


def test_the_last_manifest_is_missed_because_the_index_has_it() -> None:
    links = chain(3)
    assert told(verify(links[:2], links)) == [("absent", 3)]


@pytest.mark.parametrize("known", [True, False], ids=["indexed", "not indexed"])
def test_a_manifest_that_was_altered_is_named(known: bool) -> None:
    links = chain(5)
    forged = replace(links[2], found=replace(links[2].found, sha256="5f" * 32))
    report = verify([*links[:2], forged, *links[3:]], links if known else [])
    assert told(report) == [("altered", 3)]
    assert report.findings[0].manifest_key == links[2].found.key


def test_one_that_is_forged_in_s3_and_in_the_index_alike_is_betrayed_by_the_next() -> None:
    links = chain(5)
    forged = Sent(replace(links[2].found, sha256="5f" * 32), {**links[2].row, "manifest_sha256": "5f" * 32})
    report = verify([*links[:2], forged, *links[3:]])
    assert told(report) == [("broken", 4)]


def test_one_that_cannot_be_read_is_altered() -> None:
    links = chain(3)
    broken = replace(links[1], found=Found(links[1].found.key, NOW, MORNING.date(), trouble="it is not gzip"))
    assert told(verify([links[0], broken, links[2]], links)) == [("altered", 2)]


def test_the_first_broken_link_comes_first() -> None:
    links = chain(9)
    report = verify([*links[:2], *links[3:6], *links[7:]], links)
    assert told(report) == [("absent", 3), ("absent", 7)]


def test_two_manifests_in_one_place_are_a_fork() -> None:
    links = chain(3)
    link = links[2].found.link
    other = sent(link, 3)
    assert other.found.sha256 != links[2].found.sha256
    assert ("forked", 3) in told(verify([*links, other]))


def test_a_manifest_that_was_withdrawn_is_not_missed() -> None:
    links = chain(2)
    [first, gone] = links
    assert gone.found.link is not None
    chain_id = gone.found.link.chain_id
    withdrawn = [EarlierLink(chain_id=chain_id, number=2, sha256=gone.found.sha256)]
    link = ManifestLink(chain_id=chain_id, number=3, previous_sha256=gone.found.sha256, withdrawn=withdrawn)
    report = verify([first, sent(link, 3)])
    assert (report.whole, report.withdrawn) == (True, 1)


def test_manifests_before_the_chain_began_are_no_failure() -> None:
    old = [sent(None, number) for number in (1, 2)]
    new = [replace(one, found=replace(one.found, stored_at=NOW)) for one in chain(2)]
    rebuilt = sent(None, 5)
    rebuilt = replace(rebuilt, found=replace(rebuilt.found, stored_at=NOW + timedelta(hours=1)))
    report = verify([*old, *new, rebuilt])
    assert (report.whole, report.before_the_chain, report.without_chain) == (True, 2, 1)


def test_an_old_manifest_is_checked_against_the_index() -> None:
    old = sent(None)
    forged = replace(old, found=replace(old.found, sha256="5f" * 32))
    assert told(verify([forged], [old])) == [("altered", None)]


@pytest.mark.parametrize("known", [True, False], ids=["indexed", "not indexed"])
def test_what_has_expired_is_not_called_removed(known: bool) -> None:
    links = chain(12)  # four a day
    cut = links[7].found.sealed_on
    assert cut is not None
    left = [one for one in links if one.found.sealed_on is not None and one.found.sealed_on >= cut]
    report = verify(left, links if known else [], expired=cut)
    assert (report.whole, report.expired) == (True, 12 - len(left))
    assert not verify(left, links if known else []).whole, "without such a rule it was removed"
    assert told(verify([*left[:2], *left[3:]], links, expired=cut)) == [("absent", 12 - len(left) + 3)]


def test_since_a_day_looks_no_further_back() -> None:
    links = chain(12)
    since = links[7].found.sealed_on
    assert since is not None
    later = [one for one in links if one.found.sealed_on is not None and one.found.sealed_on >= since]
    assert verify(later, links, since=since).whole
    assert told(verify(later[1:], links, since=since)) == [("absent", 12 - len(later) + 1)]


def test_one_whose_successor_was_put_a_moment_ago_is_on_its_way() -> None:
    [first, _, third] = chain(3)
    third = replace(third, found=replace(third.found, stored_at=NOW - timedelta(minutes=5)))
    report = verify([first, third])
    assert (report.whole, report.on_their_way) == (True, 1)


def test_a_chain_that_begins_after_another_says_so() -> None:
    old = chain(3)
    link = old[1].found.link
    assert link is not None
    follows = EarlierLink(chain_id=link.chain_id, number=2, sha256=old[1].found.sha256)
    report = verify([*old, *chain(2, begins="restored journal", follows=follows)])
    assert (report.whole, report.chains) == (True, 2)
    [_, restored] = sorted(report.notes, key=len)
    assert "begins: restored journal, after link 2" in restored
    assert restored.endswith("which went on to link 3")


@pytest.mark.parametrize("honest", [True, False], ids=["the same disk", "a forged start"])
def test_an_edge_that_was_renamed_goes_on_with_the_chain_of_its_disk(honest: bool) -> None:
    links = chain(5)
    before = links[2].row["manifest_sha256"] if honest else "5f" * 32
    asked: list[tuple[str, int]] = []

    def elsewhere(chain_id: str, number: int) -> dict[str, Any]:
        asked.append((chain_id, number))
        return {"edge": "dicom-ingest-old", "manifest_sha256": before}

    report = verify(links[3:], elsewhere=elsewhere)
    assert asked == [(links[0].row["chain_id"], 3)]
    assert told(report) == ([] if honest else [("absent", 1)])
    assert ("goes on from link 3 of dicom-ingest-old" in " ".join(report.notes)) is honest


class Lifecycle:
    """S3 with these rules."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self._rules = rules

    def get_bucket_lifecycle_configuration(self, **_: Any) -> Any:
        return {"Rules": list(self._rules)}


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ({"Filter": {"Prefix": "manifests/"}, "Expiration": {"Days": 10}}, 10),
        ({"Filter": {}, "Expiration": {"Days": 20}}, 20),
        ({"Filter": {"And": {"Prefix": f"manifests/{EDGE}/2026"}}, "Expiration": {"Days": 30}}, 30),
        ({"Filter": {"Prefix": "manifests/dicom-ingest-edge2/"}, "Expiration": {"Days": 50}}, None),
        ({"Filter": {"Tag": {"Key": "temporary", "Value": "1"}}, "Expiration": {"Days": 60}}, None),
        ({"Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a"}]}}, "Expiration": {"Days": 70}}, None),
        ({"Prefix": "", "Expiration": {"Days": 40}}, 40),
        ({"Filter": {"Prefix": "results/"}, "Expiration": {"Days": 90}}, None),
        ({"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, None),
        ({"Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}, None),
    ],
)
def test_the_bucket_s_rules_say_what_may_have_expired(rule: dict[str, Any], days: int | None) -> None:
    s3: Any = Lifecycle({"Status": "Enabled", **rule})
    expected = date(2026, 11, 28) - timedelta(days=days) if days else None
    assert expired_before(s3, "bucket", EDGE, date(2026, 11, 28)) == expected
