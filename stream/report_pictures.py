"""The pictures of a report: the timeline as SVG, keyframes as JPEG data URIs."""

import base64
from collections.abc import Iterator, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.analysis import Keyframe, TimelinePoint

WIDTH, HEIGHT, MARGIN = 900, 240, 36
GAP_S = 1.0
TRACK_COLOURS = ("#2b6cb0", "#b7791f", "#805ad5", "#2f855a", "#c05621", "#97266d")
BRANCH_DASHES = {"spatial": "2 3", "mri": "6 3", "temporal": "10 4"}
HEAT_RGB = np.array([255.0, 40.0, 20.0])
CROP_PX = 192


def timeline_svg(points: Sequence[TimelinePoint]) -> str:
    """The probability of every track over time, thin dashed lines for the branches; gaps where nothing was said."""
    end_s = max((point.pts_s for point in points), default=0.0)
    start_s = min((point.pts_s for point in points), default=0.0)
    scale = _Scale(start_s, max(end_s - start_s, 1e-3))
    parts = list(_axes(scale))
    for index, track in enumerate(sorted({point.track for point in points})):
        colour = TRACK_COLOURS[index % len(TRACK_COLOURS)]
        own = sorted((point for point in points if point.track == track), key=lambda point: point.pts_s)
        for name, dash in BRANCH_DASHES.items():
            branch = [(point.pts_s, point.branches.get(name)) for point in own]
            parts += _lines(branch, scale, f'stroke="{colour}" stroke-opacity=".45" stroke-dasharray="{dash}"')
        parts += _lines([(point.pts_s, point.p_fake) for point in own], scale, f'stroke="{colour}" stroke-width="2.5"')
        parts.append(
            f'<text x="{MARGIN + 8 + 70 * index}" y="{MARGIN - 14}" fill="{colour}" font-size="13">face {track}</text>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="system-ui, sans-serif">'
        f"<title>Probability of a synthetic face over time</title>{''.join(parts)}</svg>"
    )


def keyframe_figure(keyframe: Keyframe) -> str:
    """A deciding crop, and beside it the same crop with what the MRI branch holds for touched in red."""
    crop = cv2.resize(keyframe.crop_rgb, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA)
    said = "-" if keyframe.p_fake is None else f"{keyframe.p_fake:.2f}"
    caption = escape(f"face {keyframe.track} at {keyframe.pts_s:.2f} s, p_fake {said}")
    pictures = [("crop", crop.astype(np.uint8))]
    if keyframe.map is not None:
        pictures.append(("MRI map over the crop", overlay(crop.astype(np.uint8), keyframe.map)))
    images = "".join(
        f'<img alt="{alt}, {caption}" width="{CROP_PX}" height="{CROP_PX}" src="{jpeg_uri(picture)}">'
        for alt, picture in pictures
    )
    return f"<figure>{images}<figcaption>{caption}</figcaption></figure>"


def overlay(crop_rgb: NDArray[np.uint8], touched: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The (h, w, 3) crop with the (n, n) map laid over it: 0 leaves the crop as it is, 255 is mostly red."""
    height, width = crop_rgb.shape[:2]
    strength = cv2.resize(touched, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float64)[..., None]
    alpha = 0.75 * strength / 255
    return np.round(crop_rgb * (1 - alpha) + HEAT_RGB * alpha).astype(np.uint8)


def jpeg_uri(image_rgb: NDArray[np.uint8]) -> str:
    """An (h, w, 3) picture as a data URI."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


class _Scale:
    """Seconds and probabilities to picture coordinates."""

    def __init__(self, start_s: float, span_s: float) -> None:
        self.start_s = start_s
        self.span_s = span_s

    def x(self, pts_s: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * (pts_s - self.start_s) / self.span_s

    @staticmethod
    def y(p_fake: float) -> float:
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * p_fake


def _axes(scale: _Scale) -> Iterator[str]:
    for p in (0.0, 0.5, 1.0):
        y = scale.y(p)
        yield f'<path d="M{MARGIN} {y:.1f}H{WIDTH - MARGIN}" stroke="#8886" fill="none"/>'
        yield f'<text x="4" y="{y + 4:.1f}" fill="currentColor" font-size="12">{p:.1f}</text>'
    for share in (0.0, 0.5, 1.0):
        pts_s = scale.start_s + share * scale.span_s
        x = scale.x(pts_s)
        yield (
            f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="currentColor" '
            f'font-size="12">{pts_s:.1f} s</text>'
        )


def _lines(values: Sequence[tuple[float, float | None]], scale: _Scale, style: str) -> Iterator[str]:
    """One polyline per uninterrupted stretch; a single value is a dot."""
    for stretch in _stretches(values):
        spots = " ".join(f"{scale.x(pts_s):.1f},{scale.y(p):.1f}" for pts_s, p in stretch)
        if len(stretch) == 1:
            spots = f"{spots} {spots}"
        yield f'<polyline points="{spots}" fill="none" stroke-linecap="round" {style}/>'


def _stretches(values: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    stretch: list[tuple[float, float]] = []
    for pts_s, p in values:
        if stretch and (p is None or pts_s - stretch[-1][0] > GAP_S):
            yield stretch
            stretch = []
        if p is not None:
            stretch.append((pts_s, p))
    if stretch:
        yield stretch
