"""What the server says of itself: a stream as JSON, and all figures as Prometheus text."""

from collections.abc import Callable, Iterator

from unmask.pipeline.types import StreamState
from unmask.stream.metrics import Page
from unmask.stream.service import Service
from unmask.stream.streams import RunningStream


def stream_json(service: Service, stream: RunningStream) -> dict[str, object]:
    """A stream's state and counts; its address is free of credentials."""
    stats = stream.session.stats
    frame = stream.tap.frame
    newest = stream.newest()
    return {
        "name": stream.name,
        "kind": stream.kind,
        "url": stream.url,
        "state": stream.state.value,
        "reason": stream.reason,
        "since": stream.since.isoformat(timespec="milliseconds"),
        "size_wh": list(frame.size_wh) if frame is not None else None,
        "frames": {"in": stats.frames_in, "analyzed": stats.analyzed, "dropped": dict(stats.dropped)},
        "verdicts_given": stats.verdicts,
        "reconnects": stats.reconnects,
        "analyzed_fps": round(stats.analyzed_fps, 2),
        "latency_ms": {"p50": _rounded(stats.p50_ms), "p95": _rounded(stats.p95_ms)},
        "faces": len(newest),
        "degraded": sorted({rung for verdict in newest for rung in verdict.degraded}),
        "may_change": stream.address is not None,
        "viewers": service.peers.viewers_of(stream.name),
    }


def metrics_text(service: Service, may_see: Callable[[str], bool]) -> str:
    """The page of `GET /metrics`; per stream only what the caller may see."""
    streams = [stream for stream in service.streams.all() if may_see(stream.name)]
    page = Page()
    _add_frames(page, streams)
    _add_verdicts(page, streams)
    publishers, viewers = service.peers.counts
    page.family("unmask_streams", "gauge", "Streams that run now.", [({}, len(service.streams))])
    page.family("unmask_webrtc_publishers", "gauge", "Connected WebRTC publishers.", [({}, publishers)])
    page.family("unmask_webrtc_viewers", "gauge", "Connected WebRTC viewers.", [({}, viewers)])
    page.family("unmask_ws_clients", "gauge", "Connected websocket clients.", [({}, service.sockets)])
    drops = [({"reason": reason}, count) for reason, count in sorted(service.hub.drops.items())]
    page.family("unmask_ws_dropped_total", "counter", "Messages that clients did not get, by reason.", drops)
    lost = [({"reason": reason}, count) for reason, count in sorted(service.history.dropped.items())]
    page.family("unmask_history_dropped_total", "counter", "Entries that the history let go, by reason.", lost)
    page.family("unmask_jobs_held", "gauge", "Analyses of files that are held.", [({}, len(service.jobs))])
    page.family("unmask_uploads_active", "gauge", "Files being analysed or waiting.", [({}, service.uploads.active)])
    _add_engine(page, service)
    return page.text()


def _add_engine(page: Page, service: Service) -> None:
    rung = service.streams.ladder.rung
    page.family("unmask_degradation_rung", "gauge", "Work left out under overload; 0 = none.", [({}, rung)])
    stats = service.engine.stats
    if stats is None:
        return
    page.family("unmask_engine_load", "gauge", "Share of the networks' time in use, 0..1.", [({}, stats.load)])
    page.family("unmask_engine_batches_total", "counter", "Batches that the networks ran.", [({}, stats.batches)])
    page.family("unmask_engine_crops_total", "counter", "Face crops that the networks scored.", [({}, stats.crops)])
    unserved = [({"reason": "refused"}, float(stats.refused)), ({"reason": "cancelled"}, float(stats.cancelled))]
    page.family("unmask_engine_unserved_total", "counter", "Requests never run, by reason.", unserved)


def _add_frames(page: Page, streams: list[RunningStream]) -> None:
    stats = [(stream, stream.session.stats) for stream in streams]
    states = [
        ({"stream": stream.name, "state": state.value}, float(stream.state is state))
        for stream in streams
        for state in StreamState
    ]
    page.family("unmask_stream_state", "gauge", "1 for the state that the stream is in.", states)
    page.family(
        "unmask_frames_in_total", "counter", "Frames that came in.", _each((s.name, x.frames_in) for s, x in stats)
    )
    page.family(
        "unmask_frames_analyzed_total", "counter", "Frames judged.", _each((s.name, x.analyzed) for s, x in stats)
    )
    dropped = [
        ({"stream": stream.name, "cause": cause}, float(count))
        for stream, found in stats
        for cause, count in sorted(found.dropped.items())
    ]
    page.family("unmask_frames_dropped_total", "counter", "Frames never judged, by cause.", dropped)
    page.family(
        "unmask_reconnects_total",
        "counter",
        "Times a source was reopened.",
        _each((s.name, x.reconnects) for s, x in stats),
    )


def _add_verdicts(page: Page, streams: list[RunningStream]) -> None:
    states = [
        ({"stream": stream.name, "state": state}, float(count))
        for stream in streams
        for state, count in sorted(stream.metrics.states.items())
    ]
    page.family("unmask_verdicts_total", "counter", "Verdicts given, by state.", states)
    stages = [
        ({"stream": stream.name, "stage": stage}, histogram)
        for stream in streams
        for stage, histogram in sorted(stream.metrics.stages.items())
    ]
    page.histogram("unmask_verdict_seconds", "Time per stage of a verdict; total is arrival to verdict.", stages)


def _each(values: Iterator[tuple[str, int]]) -> list[tuple[dict[str, str], float]]:
    return [({"stream": name}, float(value)) for name, value in values]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
