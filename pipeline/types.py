"""The nouns, in flow order: Frame -> Face -> Score -> Verdict. Frozen, with the format in the name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from unmask.pipeline.picture import Picture, as_picture


class VerdictState(StrEnum):
    """What is said of one face."""

    WARMING = "warming"
    AUTHENTIC = "authentic"
    SUSPICIOUS = "suspicious"
    MANIPULATED = "manipulated"
    UNCERTAIN = "uncertain"


class StreamState(StrEnum):
    """What is said of one stream."""

    CONNECTING = "connecting"
    LIVE = "live"
    NO_FACE = "no_face"
    NO_SIGNAL = "no_signal"
    RECONNECTING = "reconnecting"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Frame:
    """One decoded picture; made of an array, or of a `Picture` that is converted at the first look at `image_rgb`.

    Attributes:
        picture: what `image_rgb` is made of; to be handed on without converting it.
        pts_s: presentation time in seconds of the source's clock.
        arrival_s: `time.monotonic()` when its data arrived.
        decoded_s: `time.monotonic()` when it was decoded.
        stream: name of the stream.
        seq: number of the frame within the stream, from 0, counting dropped ones.

    Raises:
        ValueError: the array is not (h, w, 3) uint8.
    """

    picture: Picture
    pts_s: float
    arrival_s: float
    decoded_s: float
    stream: str
    seq: int

    def __init__(
        self,
        image_rgb: NDArray[np.uint8] | Picture,
        pts_s: float,
        arrival_s: float,
        decoded_s: float,
        stream: str,
        seq: int,
    ) -> None:
        values = (as_picture(image_rgb), pts_s, arrival_s, decoded_s, stream, seq)
        for name, value in zip(self.__dataclass_fields__, values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def image_rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, upright; not to be written to. The first look converts it, in the thread that looks."""
        return self.picture.rgb()

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels; converts nothing."""
        return self.picture.size_wh

    @property
    def thumb(self) -> NDArray[np.uint8]:
        """A small picture of single pixels, see `Picture.thumb`; converts nothing."""
        return self.picture.thumb()

    def with_image(self, image_rgb: NDArray[np.uint8] | Picture) -> "Frame":
        """The same frame with another picture."""
        return Frame(image_rgb, self.pts_s, self.arrival_s, self.decoded_s, self.stream, self.seq)


@dataclass(frozen=True, slots=True)
class Quality:
    """How much a crop can carry.

    Attributes:
        face_px: width of the face box in frame pixels.
        sharpness: standard deviation of the Laplacian of the crop's luma, grey levels.
        brightness: mean luma of the face, 0..255.
        yaw: 0 is frontal, -1 or 1 the nose in front of the left or right eye of the image, cut at -2 and 2.
        reliability: 0..1, the weight of this crop's evidence; 0 means that it must not count.
        reasons: why reliability is low or 0, of `face_too_small`, `blurred`, `too_dark`, `too_bright`, `turned_away`,
            `not_a_face`.
    """

    face_px: float
    sharpness: float
    brightness: float
    yaw: float
    reliability: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Face:
    """A tracked face in a frame.

    Attributes:
        track: identity within the stream, from 1; never reused.
        box_xyxy: (4,) float32 frame pixels.
        landmarks_xy: (5, 2) float32 frame pixels, smoothed along the track.
        confidence: the detector's, 0..1.
    """

    track: int
    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    confidence: float


@dataclass(frozen=True, slots=True)
class Score:
    """One branch's answer about one face.

    Attributes:
        logit: calibrated log-odds of "synthesised".
        p_fake: 0..1, the sigmoid of `logit`.
        confidence: 0..1, distance of `p_fake` from 0.5, doubled.
        pts_s: presentation time of the newest frame that it rests on.
    """

    logit: float
    p_fake: float
    confidence: float
    pts_s: float


@dataclass(frozen=True, slots=True)
class BranchResult:
    """A branch's part in a verdict; `weight` is its share in the fusion, all shares adding up to 1."""

    p_fake: float
    confidence: float
    weight: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one face at one moment; the fields are those of the wire format.

    Attributes:
        box_xyxy: four numbers, 0..1 of the frame's width and height.
        p_fake: rolling fused probability, None when nothing can be said.
        branches: by branch name; a branch that has no answer is absent.
        reasons: why the state is `uncertain`, or what weakens it.
        degraded: which work was left out under overload.
        timing_ms: by stage: decode, queue, detect, infer, total (arrival to verdict).
    """

    stream: str
    track: int
    seq: int
    pts_s: float
    box_xyxy: tuple[float, float, float, float]
    state: VerdictState
    p_fake: float | None
    branches: Mapping[str, BranchResult]
    quality: Quality
    reasons: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    timing_ms: Mapping[str, float] = field(default_factory=dict)
