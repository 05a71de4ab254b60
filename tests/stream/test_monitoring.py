"""Prometheus text, printed lines and the addresses that may be opened."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.stream.serving import make_verdict
from unmask.pipeline.errors import UsageError
from unmask.pipeline.types import VerdictState
from unmask.stream import urls
from unmask.stream.metrics import Histogram, Page, VerdictMetrics
from unmask.stream.serve import Printer, verdict_line


def test_empty_page_has_no_families() -> None:
    page = Page()
    page.family("unmask_x", "gauge", "Nothing.", [])
    page.histogram("unmask_y", "Nothing.", [])
    assert page.text() == ""


def test_label_values_are_escaped() -> None:
    page = Page()
    page.family("unmask_x", "gauge", "A thing.", [({"stream": 'a"b\\c\nd'}, 2.0)])
    assert page.text().splitlines()[-1] == r'unmask_x{stream="a\"b\\c\nd"} 2'


def test_histogram_buckets_are_cumulative() -> None:
    histogram = Histogram()
    for value in (0.0, 0.025, 0.3, 99.0):
        histogram.observe(value)
    page = Page()
    page.histogram("unmask_y", "A time.", [({}, histogram)])
    lines = dict(line.rsplit(" ", 1) for line in page.text().splitlines() if not line.startswith("#"))
    assert lines['unmask_y_bucket{le="0.025"}'] == "2"
    assert lines['unmask_y_bucket{le="0.35"}'] == "3"
    assert lines['unmask_y_bucket{le="+Inf"}'] == lines["unmask_y_count"] == "4"
    assert lines["unmask_y_sum"] == "99.325"


def test_verdicts_are_counted_by_state_and_stage() -> None:
    metrics = VerdictMetrics()
    metrics.observe([make_verdict(), make_verdict(state=VerdictState.SUSPICIOUS)])
    assert metrics.states == {"authentic": 1, "suspicious": 1}
    assert metrics.stages["total"].sum_s == pytest.approx(0.05)


def test_line_of_a_verdict_says_everything() -> None:
    line = verdict_line(make_verdict())
    for part in ("door", "face 1", "authentic", "0.10", "spatial 0.20", "25 ms", "inconclusive", "degraded:mri"):
        assert part in line
    assert "--" in verdict_line(make_verdict(p_fake=None))


@pytest.fixture
def printer() -> Iterator[Printer]:
    """A printer at work."""
    with Printer() as made:
        yield made


def test_printer_writes_at_most_four_lines_a_second_and_face(
    printer: Printer, capsys: pytest.CaptureFixture[str]
) -> None:
    for seq in range(50):
        printer.verdicts(None, [make_verdict(seq=seq), make_verdict(track=2, seq=seq)])  # type: ignore[arg-type]
    printer.__exit__()
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_printer_that_nobody_reads_drops_lines_instead_of_waiting() -> None:
    idle = Printer()
    for number in range(100):
        idle.line(str(number))
    assert idle.dropped == 36


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "224.0.0.1", "::", "fd00:ec2::254"]
)
def test_addresses_without_cameras(address: str) -> None:
    assert urls.forbidden(ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.20", "10.0.0.5", "8.8.8.8", "::1", "fd00::20"])
def test_addresses_that_cameras_have(address: str) -> None:
    assert not urls.forbidden(ip_address(address))


@pytest.mark.parametrize("url", ["demo:", "webcam:0", "webcam:12", "rtsp://127.0.0.1/x", "RTSPS://u:p@[::1]:322/x"])
async def test_cameras_pass(url: str) -> None:
    await urls.check_url(url)


@pytest.mark.parametrize("url", ["rtsp://u:secret@169.254.169.254/x", "rtsp://a:secret@", "http://u:secret@h/"])
async def test_refusal_never_repeats_the_address(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        await urls.check_url(url)
    assert "secret" not in str(caught.value)
