"""Any order of arrivals, releases, aborts, duplicates, failures, crashes, restarts and set clocks."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.edge.bench import Bench, Crash
from tests.support.edge.stand_ins import client_error, lost, unreachable

STUDIES = {"1.2.1": "1.2", "1.2.2": "1.2", "1.3.1": "1.3"}
MEMORY = Path("/dev/shm")  # commits are real; they need not wait for a disk here

ARRIVE = st.tuples(
    st.just("arrive"),
    st.integers(0, 2),
    st.sampled_from(sorted(STUDIES)),
    st.integers(1, 4),
    st.integers(1, 2),
)
ACTIONS = st.lists(
    st.one_of(
        ARRIVE,
        ARRIVE,
        st.tuples(st.just("close"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 5.0, 11.0, 130.0, 4000.0])),
        st.tuples(st.just("set"), st.sampled_from([-90_000.0, -60.0, 60.0, 90_000.0])),
        st.tuples(st.just("step"), st.integers(1, 3)),
        st.tuples(st.just("fail"), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.integers(1, 4)),
        st.tuples(st.just("crash"), st.sampled_from(["before", "after"]), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=30,
)


class Fault:
    """Fails the next so many calls, or ends the process at one."""

    def __init__(self, away: Callable[[], BaseException]) -> None:
        self.away = away
        self.failing = 0
        self.crash_in: int | None = None

    def __call__(self, _operation: str, _key: str) -> BaseException | None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                return Crash()
        if self.failing:
            self.failing -= 1
            return self.away() if self.failing % 2 else client_error("PutObject", "InternalError", 500)
        return None


class Story:
    """What was acknowledged, and what must be true of it in the end."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root, max_series_instances=3)
        self.before, self.after = Fault(unreachable), Fault(lost)
        self.bench.s3.before = self.bench.bus.before = self.before
        self.bench.s3.after = self.bench.bus.after = self.after
        self.associations = [self.bench.associate() for _ in range(3)]
        self.acknowledged: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.objects_when_announced: dict[tuple[str, str], dict[str, bytes]] = {}
        self.bytes_announced: dict[int, tuple[str, bytes]] = {}
        self.seen_events = 0

    def run(self, actions: list[tuple[object, ...]]) -> None:
        for action in actions:
            try:
                self.act(action)
            except Crash:
                self.watch()
                self.bench.crash()
                self.associations = [self.bench.associate() for _ in range(3)]
            self.watch()
        self.before.failing = self.after.failing = 0
        self.before.crash_in = self.after.crash_in = None
        for association in self.associations:
            self.bench.close(association)
        self.bench.settle()
        self.watch()

    def act(self, action: tuple[object, ...]) -> None:
        match action:
            case ("arrive", int(sender), str(series), int(number), int(content)):
                sop = f"{series}.{number}"
                self.bench.receive(self.associations[sender], STUDIES[series], series, sop, content)
                self.acknowledged[series, sop].append(content)
            case ("close", int(sender), bool(aborted)):
                self.bench.close(self.associations[sender], aborted=aborted)
                self.associations[sender] = self.bench.associate()
            case ("wait", float(seconds)):
                self.bench.clock.now += seconds
            case ("set", float(seconds)):
                self.bench.clock.set_by(seconds)
            case ("step", int(times)):
                for _ in range(times):
                    self.bench.step()
            case ("fail", int(times)):
                self.before.failing = times
            case ("lose", int(times)):
                self.after.failing = times
            case ("crash", str(when), int(calls)):
                (self.before if when == "before" else self.after).crash_in = calls
                self.bench.step()

    def watch(self) -> None:
        """Events since the last look: the same bytes every time; what lies below the prefix is kept."""
        details = self.bench.bus.details()
        for detail in details[self.seen_events :]:
            manifest = self.bench.s3.objects[detail["manifest_key"]]
            said = (json.dumps(detail, sort_keys=True), manifest)
            assert self.bytes_announced.setdefault(detail["sequence"], said) == said
            key = (detail["transfer_id"], detail["series_instance_uid"])
            self.objects_when_announced.setdefault(key, self.below(detail["prefix"]))
        self.seen_events = len(details)

    def below(self, prefix: str) -> dict[str, bytes]:
        return {key: body for key, body in self.bench.s3.objects.items() if key.startswith(prefix)}

    def check(self) -> None:
        manifests = self.bench.manifests()
        for detail in self.bench.bus.details():
            key = (detail["transfer_id"], detail["series_instance_uid"])
            assert self.below(detail["prefix"]) == self.objects_when_announced[key]
        versions: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
        for manifest in manifests:
            assert len(manifest.instances) == manifest.transfer.instance_count <= 3
            assert not manifest.missing
            prefix = manifest.instances[0].key.rsplit("/", 1)[0] + "/"
            assert {i.key for i in manifest.instances} == set(self.below(prefix))
            after = set()
            for found in manifest.instances:
                name = (manifest.transfer.series_instance_uid, found.sop_instance_uid)
                after |= {transfer for _, _, transfer in versions[name]}
                content = found.attributes["00200013"]["Value"][0]
                versions[name].append((manifest.transfer.sequence, content, manifest.transfer.transfer_id))
            assert set(manifest.transfer.after) == after
        assert set(versions) == set(self.acknowledged)
        for name, contents in self.acknowledged.items():
            sent = [content for _, content, _ in versions[name]]
            assert set(sent) == set(contents)
            assert sent[-1] == contents[-1]
        counters = self.bench.counters()
        announced = sum(len(manifest.instances) for manifest in manifests)
        assert counters["instances_announced"] == counters["instances_uploaded"] == announced
        assert counters["instances_received"] == announced + counters.get("instances_duplicate", 0)
        assert self.bench.stored() == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTIONS)
def test_every_acknowledged_instance_is_announced_once_and_for_all(actions: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        story = Story(Path(folder))
        if not any(action[0] == "arrive" for action in actions):
            actions = [*actions, ("arrive", 0, "1.2.1", 1, 1)]
        story.run(actions)
        story.check()
        story.bench.journal.close()
