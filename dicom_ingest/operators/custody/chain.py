"""Is the chain of an edge's manifests whole? What is absent, altered or forked is found, the first first.

Three witnesses are compared: the manifests in S3, what each says of the one before it, and the hash that the
index has of each from its event. Two of them must be forged alike to hide a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from dicom_ingest.contracts.messages.manifest import EarlierLink, ManifestLink
from dicom_ingest.operators.custody.manifests import Found
from dicom_ingest.operators.read.index import Row

Kind = Literal["absent", "altered", "forked", "broken"]
ON_ITS_WAY = timedelta(hours=1)
"""A later manifest may be put a little before an earlier one whose first attempt failed."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one manifest.

    `absent`: it is not in S3. `altered`: its bytes are not those that were announced. `forked`: two have one
    place in a chain. `broken`: it names another manifest before it than there is.
    """

    kind: Kind
    words: str
    manifest_key: str | None = None
    chain_id: str | None = None
    number: int | None = None
    sealed_at: datetime | date | None = None


@dataclass
class Report:
    """What was found of one edge. `findings`: in the order of the chain; empty: it is whole."""

    edge: str
    manifests: int = 0
    chained: int = 0
    before_the_chain: int = 0
    """Manifests of releases that knew no chain: checked against the index only."""
    without_chain: int = 0
    """Later ones without a place in it: an operator has built them again from the objects."""
    chains: int = 0
    withdrawn: int = 0
    expired: int = 0
    on_their_way: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is absent, altered or forked."""
        return not self.findings


class Verification:
    """Of one edge. `since`: only manifests sealed on this day or later; `expired`: older ones may be gone.

    `elsewhere`: which other edge has sent a link, by chain and number (`read.custody.elsewhere`).
    """

    def __init__(
        self,
        edge: str,
        now: datetime,
        since: date | None = None,
        expired: date | None = None,
        elsewhere: Callable[[str, int], Row | None] = lambda _chain_id, _number: None,
    ) -> None:
        self._report = Report(edge)
        self._elsewhere = elsewhere
        self._now, self._since, self._expired = now, since, expired
        self._known: dict[str, Row] = {}
        self._chains: dict[str, dict[int, list[Found]]] = {}
        self._links: dict[tuple[str, int], str] = {}
        self._withdrawn: dict[tuple[str, int], EarlierLink] = {}
        self._findings: list[tuple[tuple[date, str, int], Finding]] = []

    def verify(self, found: Iterable[Found], known: Iterable[Row]) -> Report:
        """Compare what S3 holds with the chain and the index. `known`: `read.custody.manifests`."""
        self._known = {row["manifest_key"]: row for row in known}
        self._links = {
            (row["chain_id"], row["chain_number"]): row["manifest_sha256"]
            for row in self._known.values()
            if row["chain_id"] is not None
        }
        unchained: list[Found] = []
        seen: set[str] = set()
        for one in found:
            seen.add(one.key)
            self._take(one, unchained)
        self._absent(seen)
        for chain_id, places in self._chains.items():
            self._chain(chain_id, places)
        self._count(unchained)
        self._report.findings = [finding for _, finding in sorted(self._findings, key=lambda pair: pair[0])]
        return self._report

    def _take(self, one: Found, unchained: list[Found]) -> None:
        self._report.manifests += 1
        row = self._known.get(one.key)
        if one.trouble:
            self._say("altered", one.trouble, one)
        elif row is not None and row["manifest_sha256"] != one.sha256:
            words = f"its sha256 is {one.sha256}, announced was {row['manifest_sha256']}"
            self._say("altered", words, one)
        elif one.link is None:
            unchained.append(one)
        else:
            self._report.chained += 1
            places = self._chains.setdefault(one.link.chain_id, {})
            places.setdefault(one.link.number, []).append(one)
            for gone in one.link.withdrawn:
                self._withdrawn[gone.chain_id, gone.number] = gone

    def _absent(self, seen: set[str]) -> None:
        for key, row in self._known.items():
            sealed_on = row["sealed_at"].date()
            if key in seen or (self._since and sealed_on < self._since):
                continue
            if self._may_have_expired(sealed_on):
                self._report.expired += 1
                continue
            finding = Finding(
                "absent", "it was announced and indexed, and is not in S3", key,
                row["chain_id"], row["chain_number"], row["sealed_at"],
            )  # fmt: skip
            self._findings.append(((sealed_on, row["chain_id"] or "", row["chain_number"] or 0), finding))

    def _chain(self, chain_id: str, places: dict[int, list[Found]]) -> None:
        """Every place from the first that is there to the last, and how they are tied."""
        self._report.chains += 1
        for here in places.values():
            if len({one.sha256 for one in here}) > 1:
                keys = ", ".join(sorted(one.key for one in here))
                words = f"{len(here)} manifests have its place, as from two copies of the edge's disk: {keys}"
                self._say("forked", words, here[0])
        before, oldest = 0, date.min
        for number in sorted(places):
            first = places[number][0]
            if before or number == 1 or not self._goes_on(first):
                self._between(chain_id, before, number, first, oldest)
            self._tie(chain_id, number, places)
            before, oldest = number, first.sealed_on or oldest

    def _goes_on(self, here: Found) -> bool:
        """Whether the first link that is here follows one of another edge: this one has its disk."""
        link = here.link
        assert link is not None  # noqa: S101 - only links are in chains
        earlier = self._elsewhere(link.chain_id, link.number - 1)
        if earlier is None or earlier["manifest_sha256"] != link.previous_sha256:
            return False
        self._report.notes.append(
            f"chain {link.chain_id} goes on from link {link.number - 1} of {earlier['edge']}: "
            "the edge was renamed, or has a copy of its disk"
        )
        return True

    def _between(self, chain_id: str, before: int, number: int, here: Found, oldest: date) -> None:
        """What is absent right before a link. `oldest`: it cannot have been sealed before that day."""
        gone = [n for n in range(before + 1, number) if (chain_id, n) not in self._withdrawn]
        self._report.withdrawn += number - before - 1 - len(gone)
        gone = [n for n in gone if (chain_id, n) not in self._links]  # those are named already
        if not gone or (self._since and before == 0):
            return
        sealed_on = here.sealed_on or date.max
        if self._may_have_expired(oldest):
            self._report.expired += len(gone)
        elif self._now - here.stored_at < ON_ITS_WAY:
            self._report.on_their_way += len(gone)
        else:
            which = f"{gone[0]}" if len(gone) == 1 else f"{gone[0]} to {gone[-1]}"
            words = f"link {which} of the chain is not in S3, and the index does not know it"
            finding = Finding("absent", words, None, chain_id, gone[0], here.sealed_on)
            self._findings.append(((sealed_on, chain_id, gone[0]), finding))

    def _tie(self, chain_id: str, number: int, places: dict[int, list[Found]]) -> None:
        """Whether the links at this number name the one before it."""
        for here in places[number]:
            link = here.link
            assert link is not None  # noqa: S101 - only links are in chains
            if number == 1:
                self._begins(link)
                if link.previous_sha256 is not None:
                    self._say("broken", "it is the first of its chain and names one before it", here)
                continue
            expected = {one.sha256 for one in places.get(number - 1, [])}
            if (known := self._links.get((chain_id, number - 1))) is not None:
                expected.add(known)
            if (gone := self._withdrawn.get((chain_id, number - 1))) is not None:
                expected.add(gone.sha256)
            if not expected or link.previous_sha256 in expected:
                continue
            words = f"it names {link.previous_sha256} as link {number - 1}, which is {', '.join(expected)}"
            suspects = [one for one in places.get(number - 1, []) if one.key not in self._known]
            if suspects:  # no event was indexed of the one before: its successor is the witness
                self._say("altered", f"link {number} names {link.previous_sha256} in its place", suspects[0])
            else:
                self._say("broken", words, here)

    def _begins(self, link: ManifestLink) -> None:
        words = f"chain {link.chain_id} begins: {link.begins}"
        if (earlier := link.follows) is not None:
            words += f", after link {earlier.number} of chain {earlier.chain_id}"
            further = [number for number in self._chains.get(earlier.chain_id, {}) if number > earlier.number]
            if further:
                words += f", which went on to link {max(further)}"
        self._report.notes.append(words)

    def _count(self, unchained: list[Found]) -> None:
        """Manifests without a link: of the releases before the chain, or made again by an operator."""
        began = min(
            (one.stored_at for places in self._chains.values() for here in places.values() for one in here),
            default=None,
        )
        for one in unchained:
            if began is None or one.stored_at < began:
                self._report.before_the_chain += 1
            else:
                self._report.without_chain += 1

    def _may_have_expired(self, sealed_on: date) -> bool:
        return self._expired is not None and sealed_on < self._expired

    def _say(self, kind: Kind, words: str, one: Found) -> None:
        link = one.link
        row = self._known.get(one.key)
        chain_id = link.chain_id if link else row["chain_id"] if row else None
        number = link.number if link else row["chain_number"] if row else None
        finding = Finding(kind, words, one.key, chain_id, number, one.sealed_on)
        self._findings.append(((one.sealed_on or date.min, chain_id or "", number or 0), finding))
