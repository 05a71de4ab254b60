"""The rolling verdict: warms up, alarms after a dwell, forgets a swap-out, freezes on bad quality."""

import pytest

from unmask.pipeline.judge import Judge, Judgement
from unmask.pipeline.types import VerdictState

S = VerdictState


def run(
    judge: Judge,
    seconds: float,
    logit: float | None,
    start_s: float = 0.0,
    reliability: float = 1.0,
    reasons: tuple[str, ...] = (),
) -> list[Judgement]:
    """Judgements of 10 frames a second."""
    return [judge.update(start_s + i / 10, logit, reliability, reasons) for i in range(round(seconds * 10))]


def test_without_evidence_there_is_no_probability() -> None:
    assert Judge().update(0.0, None, 1.0) == Judgement(S.WARMING, None, ())


def test_unusable_face_is_uncertain_with_its_reason() -> None:
    judgement = Judge().update(0.0, 3.0, 0.0, ("face_too_small",))

    assert judgement == Judgement(S.UNCERTAIN, None, ("face_too_small",))


def test_first_seconds_are_warming() -> None:
    states = [j.state for j in run(Judge(), 1.0, -3.0)]

    assert set(states) == {S.WARMING}


@pytest.mark.parametrize(
    ("logit", "state"), [(-3.0, S.AUTHENTIC), (0.3, S.UNCERTAIN), (1.5, S.SUSPICIOUS), (3.5, S.MANIPULATED)]
)
def test_steady_evidence_settles(logit: float, state: VerdictState) -> None:
    assert run(Judge(), 6.0, logit)[-1].state is state


def test_in_between_is_called_inconclusive() -> None:
    assert run(Judge(), 6.0, 0.3)[-1].reasons == ("inconclusive",)


def test_a_short_burst_does_not_alarm() -> None:
    judge = Judge()
    run(judge, 5.0, -3.0)
    states = [j.state for j in run(judge, 0.5, 4.0, 5.0) + run(judge, 4.0, -3.0, 5.5)]

    assert S.MANIPULATED not in states
    assert S.SUSPICIOUS not in states


def test_a_late_swap_is_caught_and_a_swap_out_is_forgotten() -> None:
    judge = Judge()
    assert run(judge, 20.0, -3.0)[-1].state is S.AUTHENTIC
    assert run(judge, 6.0, 3.5, 20.0)[-1].state is S.MANIPULATED
    assert run(judge, 12.0, -3.0, 26.0)[-1].state is S.AUTHENTIC


def test_evidence_is_frozen_not_decayed_while_quality_is_low() -> None:
    judge = Judge()
    before = run(judge, 6.0, 3.5)[-1]
    during = run(judge, 1.5, -5.0, 6.0, reliability=0.0, reasons=("blurred",))[-1]

    assert during.p_fake == before.p_fake
    assert during.state is S.MANIPULATED


def test_long_unusable_video_says_nothing() -> None:
    judge = Judge()
    run(judge, 6.0, -3.0)
    late = run(judge, 4.0, -3.0, 6.0, reliability=0.0, reasons=("blurred",))[-1]

    assert late == Judgement(S.UNCERTAIN, None, ("blurred",))


def test_poor_evidence_gives_a_probability_but_no_verdict() -> None:
    judgement = run(Judge(), 15.0, 3.5, reliability=0.1, reasons=("turned_away",))[-1]

    assert judgement.state is S.UNCERTAIN
    assert judgement.reasons == ("turned_away",)
    assert judgement.p_fake is not None


def test_frame_rate_does_not_change_the_verdict() -> None:
    fast, slow = Judge(), Judge()
    for i in range(180):
        quick = fast.update(i / 30, 2.0, 1.0)
    for i in range(48):
        calm = slow.update(i / 8, 2.0, 1.0)

    assert quick.state is calm.state
    assert quick.p_fake == pytest.approx(calm.p_fake, abs=0.02)
