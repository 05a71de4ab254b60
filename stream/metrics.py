"""Prometheus text (version 0.0.4) of what the server did: frames, drops by cause, verdicts, latencies, clients."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from unmask.pipeline.types import Verdict

BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass
class Histogram:
    """Counts of durations in seconds by upper bound; the last count is everything above."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def observe(self, value_s: float) -> None:
        """Adds one duration."""
        self.counts[bisect_left(BUCKETS_S, value_s)] += 1
        self.sum_s += value_s


class VerdictMetrics:
    """What became of one stream's verdicts."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.stages: dict[str, Histogram] = {}

    def observe(self, verdicts: Iterable[Verdict]) -> None:
        """Counts verdicts by state and their durations by stage."""
        for verdict in verdicts:
            self.states[verdict.state.value] += 1
            for stage, value_ms in verdict.timing_ms.items():
                self.stages.setdefault(stage, Histogram()).observe(value_ms / 1000.0)


class Page:
    """Builds the text, one family after the other."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]]) -> None:
        """Adds a counter or gauge with its samples; a family without samples is left out."""
        rows = [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
        if rows:
            self._lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *rows]

    def histogram(self, name: str, text: str, samples: Iterable[tuple[Labels, Histogram]]) -> None:
        """Adds a histogram with cumulative buckets."""
        rows = []
        for labels, histogram in samples:
            total = 0
            for bound, count in zip([*map(str, BUCKETS_S), "+Inf"], histogram.counts, strict=True):
                total += count
                rows.append(f"{name}_bucket{_labels({**labels, 'le': bound})} {total}")
            rows.append(f"{name}_sum{_labels(labels)} {_number(histogram.sum_s)}")
            rows.append(f"{name}_count{_labels(labels)} {total}")
        if rows:
            self._lines += [f"# HELP {name} {text}", f"# TYPE {name} histogram", *rows]

    def text(self) -> str:
        """The whole page."""
        return "\n".join([*self._lines, ""])


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(round(float(value), 6))
