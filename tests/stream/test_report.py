"""What people read about a file: the HTML report and the terminal text."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmask.pipeline.analysis import Analysis, Keyframe, TimelinePoint, TrackResult
from unmask.pipeline.errors import UsageError
from unmask.pipeline.types import BranchResult, VerdictState
from unmask.stream.analyze import text
from unmask.stream.report import report_html, write_report
from unmask.stream.report_pictures import overlay, timeline_svg

GREY = np.full((256, 256, 3), 128, np.uint8)
BRANCHES = {"spatial": BranchResult(0.9, 0.8, 1.0)}
NOTHING = Analysis(
    file="no <face>.mp4",
    method="fusion",
    verdict=VerdictState.UNCERTAIN,
    reasons=("no_face",),
    p_fake=None,
    branches={},
    tracks=[],
    timeline=[],
    keyframes=[],
    decoded=10,
    analyzed=5,
    with_face=0,
    video_s=1.0,
    wall_s=0.5,
    weights_sha256={"spatial": "ab" * 32},
)
FORGED = replace(
    NOTHING,
    file="swap.mp4",
    verdict=VerdictState.MANIPULATED,
    reasons=(),
    p_fake=0.93,
    branches=BRANCHES,
    tracks=[TrackResult(1, VerdictState.MANIPULATED, 0.93, 0.0, 2.0, 5, BRANCHES, ())],
    timeline=[
        TimelinePoint(0.0, 1, VerdictState.WARMING, None, {}),
        TimelinePoint(0.1, 1, VerdictState.WARMING, 0.8, {"spatial": 0.9}),
        TimelinePoint(0.2, 1, VerdictState.MANIPULATED, 0.9, {"spatial": 0.9}),
        TimelinePoint(5.0, 1, VerdictState.MANIPULATED, 0.9, {}),
    ],
    keyframes=[
        Keyframe(0.1, 1, GREY, np.full((64, 64), 255, np.uint8), 0.9),
        Keyframe(0.2, 1, GREY, None, 0.8),
    ],
    with_face=5,
)


def test_a_file_without_a_face_gets_a_page_that_says_so() -> None:
    """No plot, no table of nothing, no number."""
    page = report_html([NOTHING])

    assert "no face was found" in page
    assert "p_fake -" in page
    assert "<svg" not in page and "<img" not in page


def test_names_are_escaped() -> None:
    """A file's name cannot become a part of the page."""
    assert "no &lt;face&gt;.mp4" in report_html([NOTHING])
    assert "<face>" not in report_html([NOTHING])


def test_the_report_needs_nothing_but_itself() -> None:
    """No script, no address; pictures are inside; the policy forbids the rest."""
    page = report_html([FORGED, NOTHING])

    assert not re.search(r"<script|https?://|<link|<iframe", page)
    assert set(re.findall(r'src="([a-z]+:[a-z/]+)', page)) == {"data:image/jpeg"}
    assert "default-src 'none'" in page


def test_the_report_shows_what_decided() -> None:
    """Verdict, methods, faces, deciding frames with their map, hashes of the weights, and the limits."""
    page = report_html([FORGED])

    for said in ("manipulated", "0.93", "spatial", "ab" * 32, "face 1 at 0.10 s", "not proof"):
        assert said in page
    assert page.count("<img") == 3


def test_the_timeline_breaks_where_nothing_was_said() -> None:
    """A gap is a gap, not a line across it."""
    fused = re.findall(r'<polyline points="([^"]+)"[^>]*stroke-width="2.5"', timeline_svg(FORGED.timeline))

    assert [len(points.split()) for points in fused] == [2, 2]
    assert len(set(fused[1].split())) == 1


def test_an_untouched_map_leaves_the_crop_as_it_is_and_a_touched_one_reddens_it() -> None:
    """Zero means nothing found."""
    assert np.array_equal(overlay(GREY, np.zeros((64, 64), np.uint8)), GREY)
    red = overlay(GREY, np.full((64, 64), 255, np.uint8))
    assert (red[..., 0] > 200).all() and (red[..., 2] < 60).all()


def test_a_report_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(UsageError, match="cannot write"):
        write_report([NOTHING], tmp_path / "absent" / "report.html")


def test_the_text_says_verdict_reasons_methods_and_faces() -> None:
    """Plain words; a missing probability is a dash."""
    assert "UNCERTAIN" in text(NOTHING) and "p_fake -" in text(NOTHING)
    assert "(no face was found)" in text(NOTHING)
    assert re.search(r"spatial +0\.90 +0\.80 +1\.00", text(FORGED))
    assert "face 1: manipulated, p_fake 0.93, 0.0 s to 2.0 s" in text(FORGED)
