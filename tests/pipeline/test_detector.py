"""The whole flow on the shipped weights: no face gives nothing, a face warms up and gets a verdict by its branches."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, frame, portrait
from unmask.models.align import align_face
from unmask.models.engine import Engine
from unmask.models.preprocess import WINDOW_STEPS
from unmask.models.temporal import FEATURE_COUNT
from unmask.pipeline.analysis import analyze, method_name
from unmask.pipeline.detector import Detector
from unmask.pipeline.errors import DeviceError, UsageError
from unmask.pipeline.types import Frame, VerdictState

MAX_PARITY_ERROR = 0.01


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.open("cpu") as opened:
        yield opened


def portrait_frames(seconds: float, rate_hz: float = 10.0) -> list[Frame]:
    """The portrait, moved and noisy, so that no two frames are alike."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(round(seconds * rate_hz)):
        image = np.roll(portrait(), (i % 5, -(i % 3)), (0, 1))
        noisy = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
        frames.append(frame(noisy, i / rate_hz, i))
    return frames


def test_no_face_gives_no_verdict(engine: Engine) -> None:
    assert Detector(engine, "s").step(frame(np.zeros((240, 320, 3), np.uint8))) == []


def test_a_picture_too_small_for_any_face_gives_no_verdict(engine: Engine) -> None:
    assert Detector(engine, "s").step(frame(np.zeros((8, 8, 3), np.uint8))) == []


def test_a_face_warms_up_and_all_branches_answer(engine: Engine) -> None:
    detector = Detector(engine, "s")
    verdicts = [v for f in portrait_frames(5.0) for v in detector.step(f)]

    assert {v.track for v in verdicts} == {1}
    assert verdicts[0].state is VerdictState.WARMING
    assert verdicts[-1].state is not VerdictState.WARMING
    assert set(verdicts[-1].branches) == {"spatial", "mri", "temporal"}
    assert sum(b.weight for b in verdicts[-1].branches.values()) == pytest.approx(1.0)
    assert set(verdicts[0].branches) == {"spatial", "mri"}
    assert {"decode", "queue", "detect", "infer", "total"} <= set(verdicts[-1].timing_ms)
    assert all(0 <= edge <= 1 for edge in verdicts[-1].box_xyxy)
    map_of_face = detector.mri_map(1)
    assert map_of_face is not None
    assert map_of_face.shape == (64, 64)
    assert map_of_face.dtype == np.uint8


def test_one_method_alone_rests_on_that_branch(engine: Engine) -> None:
    detector = Detector(engine, "s", method="mri")
    verdict = [v for f in portrait_frames(1.0) for v in detector.step(f)][-1]

    assert set(verdict.branches) == {"mri"}


def test_frames_of_a_forgotten_track_leave_no_map(engine: Engine) -> None:
    detector = Detector(engine, "s")
    detector.step(frame())
    detector.step(frame(np.zeros((512, 512, 3), np.uint8), 10.0, 1))

    assert detector.mri_map(1) is None


def test_analysis_of_nothing_is_uncertain(engine: Engine) -> None:
    result = analyze([], engine, file="nothing.mp4")

    assert (result.verdict, result.reasons, result.p_fake) == (VerdictState.UNCERTAIN, ("no_frames",), None)


def test_analysis_of_a_still_has_no_temporal_branch(engine: Engine) -> None:
    result = analyze([frame()], engine, file="a.jpg")

    assert result.p_fake is not None
    assert set(result.branches) == {"spatial", "mri"}
    assert result.tracks[0].frames == 1


def test_analysis_of_a_still_by_the_temporal_branch_alone_says_too_short(engine: Engine) -> None:
    result = analyze([frame()], engine, file="a.jpg", method="temporal")

    assert (result.verdict, result.reasons, result.p_fake) == (VerdictState.UNCERTAIN, ("too_short",), None)


def test_analysis_counts_every_frame(engine: Engine) -> None:
    result = analyze(portrait_frames(2.0, rate_hz=25.0), engine, file="a.mp4")

    assert result.decoded == 50
    assert 18 <= result.analyzed <= 22
    assert result.with_face == result.analyzed


def test_method_names_have_aliases_and_others_are_refused() -> None:
    assert [method_name(n) for n in ("fusion", "plain_frames", "MRI")] == ["fusion", "spatial", "mri"]
    with pytest.raises(UsageError, match="magic"):
        method_name("magic")


def test_unknown_device_is_refused() -> None:
    with pytest.raises(DeviceError, match="abacus"):
        Engine.open("abacus")


def test_openvino_and_torch_agree(engine: Engine) -> None:
    crop = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
    crops = np.stack([crop, crop[:, ::-1], 255 - crop])
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (2, WINDOW_STEPS, FEATURE_COUNT)).astype(np.float32)
    mask = (rng.random((2, WINDOW_STEPS)) > 0.3).astype(np.float32)

    def probabilities(of: Engine) -> np.ndarray:  # type: ignore[type-arg]
        scores, windows = of.score_crops(crops), of.score_windows(features, mask)
        assert scores.spatial is not None and scores.mri is not None and windows is not None
        return np.asarray(1 / (1 + np.exp(-np.concatenate([scores.spatial, scores.mri, windows]))))

    with Engine.open("torch-cpu") as eager:
        difference = np.abs(probabilities(engine) - probabilities(eager)).max()

    assert difference <= MAX_PARITY_ERROR


def test_scores_do_not_depend_on_the_batch(engine: Engine) -> None:
    crop = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
    crops = np.stack([np.roll(crop, i, 0) for i in range(18)])
    together = engine.score_crops(crops)
    alone = [engine.score_crops(c[None]) for c in crops]

    assert together.spatial is not None
    assert np.concatenate([a.spatial for a in alone if a.spatial is not None]) == pytest.approx(
        together.spatial, abs=1e-3
    )
