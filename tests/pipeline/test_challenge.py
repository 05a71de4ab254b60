"""A liveness challenge: the baseline comes first, each prompt is seen when it is followed, and changes are weighed."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest

from tests.build import PORTRAIT_LANDMARKS_XY, face, portrait, score
from unmask.models.align import TEMPLATE_XY, align_face
from unmask.pipeline.challenge import Challenge, Outcome, Phase, Prompt
from unmask.pipeline.challenge_follow import extent, pose_of
from unmask.pipeline.challenge_sample import (
    FACE_CELLS,
    LEFT_EYE_CELLS,
    RIGHT_EYE_CELLS,
    Sample,
    aligned_shape,
    take_sample,
)
from unmask.pipeline.challenge_score import weigh
from unmask.pipeline.detector import Reading
from unmask.pipeline.quality import measure_quality

STEP_S = 0.1
RNG = np.random.default_rng(3)
THUMB = RNG.uniform(60, 180, (16, 16)).astype(np.float32)

Change = Callable[[Sample], Sample]


def sample(pts_s: float, track: int = 1) -> Sample:
    """A frontal, genuine face of 80 px."""
    return Sample(
        pts_s=pts_s,
        track=track,
        box_xyxy=np.array([100, 100, 180, 200], np.float32),
        shape_xy=TEMPLATE_XY,
        confidence=0.99,
        yaw=0.0,
        reliability=0.9,
        logits={"spatial": -2.0},
        fused=-2.0,
        map_strength=0.1,
        thumb=THUMB,
    )


def turned(yaw: float) -> Change:
    return lambda s: replace(s, yaw=yaw)


def covered(s: Sample) -> Sample:
    thumb = s.thumb.copy()
    thumb[8:][FACE_CELLS[8:]] += 70
    return replace(s, thumb=thumb)


def one_eye_covered(s: Sample) -> Sample:
    thumb = s.thumb.copy()
    thumb[LEFT_EYE_CELLS] -= 50
    return replace(s, thumb=thumb)


def closer(s: Sample) -> Sample:
    middle = (s.box_xyxy[:2] + s.box_xyxy[2:]) / 2
    return replace(s, box_xyxy=np.concatenate([middle - 60, middle + 60]).astype(np.float32))


def alarming(s: Sample) -> Sample:
    """The evidence of a swap that comes apart."""
    rng = np.random.default_rng(round(s.pts_s * 1000))
    shape = s.shape_xy + rng.normal(0, 4, (5, 2)).astype(np.float32)
    return replace(s, fused=3.0 + float(rng.normal(0, 2)), map_strength=0.7, shape_xy=shape)


def play(challenge: Challenge, seconds: float, *changes: Change, start_s: float = 0.0) -> float:
    """Feeds samples with these changes for a time; returns the time after it."""
    for step in range(round(seconds / STEP_S)):
        pts_s = start_s + step * STEP_S
        shown = sample(pts_s, challenge.track)
        for change in changes:
            shown = change(shown)
        challenge.update(pts_s, [shown])
    return start_s + round(seconds / STEP_S) * STEP_S


def answered(prompt: Prompt, *changes: Change, mirrored: bool = False) -> Challenge:
    """A challenge with a calm baseline and then these changes until it ends."""
    challenge = Challenge(prompt, 1, mirrored)
    start_s = play(challenge, 2.3)
    assert challenge.phase is Phase.ANSWER
    play(challenge, 9.0, *changes, start_s=start_s)
    return challenge


def outcome(challenge: Challenge) -> Outcome:
    assert challenge.result is not None
    return challenge.result.outcome


def test_a_new_challenge_has_neither_progress_nor_result() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    assert (challenge.phase, challenge.progress, challenge.result) == (Phase.BASELINE, 0.0, None)


def test_a_face_that_never_shows_ends_the_challenge_inconclusively() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    for step in range(50):
        challenge.update(step * STEP_S, [])
    assert outcome(challenge) is Outcome.INCONCLUSIVE
    assert challenge.result is not None and challenge.result.reasons == ("face_lost",)


def test_no_answer_is_taken_before_the_baseline_is_there() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    play(challenge, 1.0, turned(0.5))
    assert challenge.phase is Phase.BASELINE and not challenge.followed and 0 < challenge.progress < 1


def test_a_face_that_is_never_frontal_gives_no_baseline() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    play(challenge, 9.0, turned(0.9))
    assert challenge.result is not None and challenge.result.reasons == ("no_baseline",)


@pytest.mark.parametrize(
    ("prompt", "change", "mirrored"),
    [
        (Prompt.TURN_LEFT, turned(0.6), False),
        (Prompt.TURN_LEFT, turned(-0.6), True),
        (Prompt.TURN_RIGHT, turned(-0.6), False),
        (Prompt.TURN_RIGHT, turned(0.6), True),
        (Prompt.MOVE_CLOSER, closer, False),
        (Prompt.HAND_ACROSS_FACE, covered, False),
        (Prompt.HAND_ACROSS_FACE, lambda s: replace(s, confidence=0.7), False),
        (Prompt.COVER_ONE_EYE, one_eye_covered, False),
    ],
)
def test_a_followed_prompt_with_calm_evidence_passes(prompt: Prompt, change: Change, mirrored: bool) -> None:
    challenge = answered(prompt, change, mirrored=mirrored)
    assert challenge.followed and outcome(challenge) is Outcome.PASSED
    assert challenge.result is not None and 0 < challenge.result.confidence <= 1


@pytest.mark.parametrize("prompt", list(Prompt))
def test_a_face_that_does_nothing_has_not_followed(prompt: Prompt) -> None:
    challenge = answered(prompt)
    assert outcome(challenge) is Outcome.NOT_FOLLOWED
    assert challenge.result is not None
    assert (challenge.result.reasons, challenge.result.confidence) == (("no_answer",), 0.0)


def test_a_turn_to_the_other_side_is_not_the_answer() -> None:
    challenge = answered(Prompt.TURN_LEFT, turned(-0.6))
    assert outcome(challenge) is Outcome.NOT_FOLLOWED
    assert challenge.result is not None and challenge.result.reasons == ("turned_other_way",)


def test_a_small_turn_is_not_far_enough() -> None:
    challenge = answered(Prompt.TURN_LEFT, turned(0.25))
    assert challenge.result is not None and challenge.result.reasons == ("not_far_enough",)


def test_a_brighter_picture_is_no_hand() -> None:
    assert outcome(answered(Prompt.HAND_ACROSS_FACE, lambda s: replace(s, thumb=s.thumb + 40))) is Outcome.NOT_FOLLOWED


def test_both_eyes_covered_are_not_one_eye() -> None:
    def both(s: Sample) -> Sample:
        thumb = s.thumb.copy()
        thumb[LEFT_EYE_CELLS | RIGHT_EYE_CELLS] -= 50
        return replace(s, thumb=thumb)

    assert outcome(answered(Prompt.COVER_ONE_EYE, both)) is Outcome.NOT_FOLLOWED


def test_evidence_that_comes_apart_during_the_answer_is_suspicious() -> None:
    challenge = answered(Prompt.TURN_LEFT, turned(0.6), alarming)
    assert outcome(challenge) is Outcome.SUSPICIOUS
    assert challenge.result is not None and challenge.result.evidence is not None
    assert challenge.result.p_swap is not None and challenge.result.p_swap > 0.7
    assert challenge.result.reasons[0] in ("evidence_rose", "map_rose", "flicker", "landmarks_trembled")


def test_a_face_that_was_suspicious_before_cannot_pass() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    start_s = play(challenge, 2.3, lambda s: replace(s, fused=2.0))
    play(challenge, 5.0, turned(0.6), lambda s: replace(s, fused=2.0), start_s=start_s)
    assert outcome(challenge) is Outcome.INCONCLUSIVE
    assert challenge.result is not None and challenge.result.reasons == ("already_suspicious",)


def test_a_track_that_breaks_goes_on_in_its_successor_and_is_counted() -> None:
    challenge = Challenge(Prompt.HAND_ACROSS_FACE, 1)
    start_s = play(challenge, 2.3)
    for step in range(6):
        challenge.update(start_s + step * STEP_S, [])
    for step in range(6, 40):
        challenge.update(start_s + step * STEP_S, [sample(start_s + step * STEP_S, track=4)])
    assert challenge.track == 4 and challenge.followed
    assert challenge.result is not None and challenge.result.evidence is not None
    assert challenge.result.evidence.breaks == 1


def test_another_face_elsewhere_is_no_successor() -> None:
    challenge = Challenge(Prompt.HAND_ACROSS_FACE, 1)
    start_s = play(challenge, 2.3)
    for step in range(40):
        pts_s = start_s + step * STEP_S
        challenge.update(pts_s, [replace(sample(pts_s, track=4), box_xyxy=np.array([400, 0, 480, 100], np.float32))])
    assert challenge.track == 1
    assert challenge.result is not None and challenge.result.reasons == ("face_lost",)


@pytest.mark.parametrize(("pts_s", "reason"), [(-1.0, "stream_jumped"), (60.0, "face_lost")])
def test_a_jump_of_the_streams_clock_ends_the_challenge(pts_s: float, reason: str) -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    play(challenge, 1.0)
    challenge.update(pts_s, [sample(pts_s)])
    assert challenge.result is not None and challenge.result.reasons == (reason,)


def test_a_stopped_challenge_says_nothing_and_stays_stopped() -> None:
    challenge = Challenge(Prompt.TURN_LEFT, 1)
    challenge.stop()
    first = challenge.result
    play(challenge, 5.0)
    challenge.stop("other")
    assert challenge.result is first and outcome(challenge) is Outcome.INCONCLUSIVE and challenge.progress == 1


def test_evidence_without_any_answer_is_not_weighed() -> None:
    silent = [replace(sample(i * STEP_S), fused=None) for i in range(5)]
    assert weigh([], silent, 0) is None and weigh(silent, silent, 0) is None


def test_a_steady_turn_trembles_less_than_a_shaking_one() -> None:
    def course(wobble: float) -> Iterable[Sample]:
        rng = np.random.default_rng(0)
        for i in range(12):
            drift = np.float32(i) + rng.normal(0, wobble, (5, 2)).astype(np.float32)
            yield replace(sample(i * STEP_S), shape_xy=TEMPLATE_XY + drift)

    calm, steady, shaking = [sample(i * STEP_S) for i in range(12)], list(course(0.0)), list(course(3.0))
    first, second = weigh(calm, steady, 0), weigh(calm, shaking, 0)
    assert first is not None and second is not None
    assert first.jitter == pytest.approx(0, abs=1e-3) and second.jitter > 1


def test_a_sample_of_a_real_face_holds_what_a_challenge_needs() -> None:
    crop = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
    mri_map = np.zeros((64, 64), np.float32)
    mri_map[:10] = 1.0
    reading = Reading(face(), crop, measure_quality(crop, face()), {"spatial": score(1.5)}, mri_map, None)
    found = take_sample(2.5, reading, 1.5)
    assert (found.pts_s, found.track, found.logits, found.fused) == (2.5, 1, {"spatial": 1.5}, 1.5)
    assert found.map_strength == pytest.approx(1.0) and found.thumb.shape == (16, 16)
    assert np.abs(found.shape_xy - TEMPLATE_XY).max() < 12
    assert found.face_px == pytest.approx(88, abs=1)


def test_the_shape_does_not_depend_on_where_and_how_large_the_face_is() -> None:
    moved = (PORTRAIT_LANDMARKS_XY * 2.5 + (40, -20)).astype(np.float32)
    assert aligned_shape(moved) == pytest.approx(aligned_shape(PORTRAIT_LANDMARKS_XY), abs=1e-2)


def test_a_hand_is_not_mistaken_for_a_turn() -> None:
    pose = pose_of([sample(i * STEP_S) for i in range(10)])
    assert extent(Prompt.TURN_LEFT, pose, covered(sample(1.0)), False) == 0
    assert extent(Prompt.HAND_ACROSS_FACE, pose, turned(0.7)(covered(sample(1.0))), False) == 0
