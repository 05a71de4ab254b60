"""Fusion: missing branches are missing, sure branches weigh more, a black map never proves a face genuine."""

import pytest

from tests.build import calibration, score
from unmask.pipeline.errors import UsageError
from unmask.pipeline.fusion import DEFAULT_RULE, RULES, calibrate, fuse, rule_name, sigmoid, to_logit
from unmask.pipeline.types import Score


def test_no_branch_gives_no_answer() -> None:
    assert fuse({}, calibration()) is None


@pytest.mark.parametrize("rule", RULES)
def test_shares_add_up_to_one(rule: str) -> None:
    fused = fuse({"spatial": score(2.0), "mri": score(-0.5), "temporal": score(1.0)}, calibration(), rule)

    assert fused is not None
    assert sum(b.weight for b in fused[1].values()) == pytest.approx(1.0)


@pytest.mark.parametrize("rule", RULES)
def test_a_missing_branch_leaves_its_weight_to_the_others(rule: str) -> None:
    fused = fuse({"spatial": score(2.0)}, calibration(), rule)

    assert fused is not None
    assert fused[1]["spatial"].weight == pytest.approx(1.0)
    assert set(fused[1]) == {"spatial"}
    assert sigmoid(fused[0]) == pytest.approx(sigmoid(2.0))


def test_confidence_rule_follows_the_surer_branch() -> None:
    fused = fuse({"spatial": score(to_logit(0.95)), "mri": score(to_logit(0.45))}, calibration(), "confidence")

    assert fused is not None
    assert sigmoid(fused[0]) == pytest.approx((0.9 * 0.95 + 0.1 * 0.45) / 1.0)
    assert fused[1]["spatial"].weight == pytest.approx(0.9)


def test_confidence_rule_survives_branches_that_know_nothing() -> None:
    fused = fuse({"spatial": score(0.0), "mri": score(0.0)}, calibration(), "confidence")

    assert fused is not None
    assert fused[0] == pytest.approx(0.0)
    assert fused[1]["mri"].weight == pytest.approx(0.5)


def test_a_black_map_is_weak_evidence_of_a_genuine_face() -> None:
    scores = {"spatial": score(3.0), "mri": score(-9.0)}
    weights = calibration(spatial=0.5, mri=0.5, temporal=0.0)
    summed, averaged = fuse(scores, weights, "logit"), fuse(scores, weights, "confidence")

    assert summed is not None
    assert summed[0] == pytest.approx(0.5 * 3.0 - 0.5 * 1.0)
    assert averaged is not None
    assert averaged[0] > 0.5


def test_one_branch_cannot_shout_down_the_others() -> None:
    fused = fuse({"spatial": score(50.0), "temporal": score(-4.0)}, calibration(spatial=0.5, temporal=0.5, mri=0.0))

    assert fused is not None
    assert fused[0] == pytest.approx(0.0)


def test_unknown_rule_is_named() -> None:
    with pytest.raises(ValueError, match="majority"):
        fuse({"spatial": score(1.0)}, calibration(), "majority")


def test_rule_names_are_checked() -> None:
    assert rule_name("default") == DEFAULT_RULE
    assert rule_name("Confidence") == "confidence"
    with pytest.raises(UsageError, match="majority"):
        rule_name("majority")


def test_temperature_softens_and_bias_shifts() -> None:
    settings = calibration()
    settings.temperature["spatial"] = 2.0
    settings.bias["spatial"] = -1.0

    calibrated = calibrate("spatial", 6.0, 1.5, settings)

    assert calibrated == Score(2.0, sigmoid(2.0), 2 * sigmoid(2.0) - 1, 1.5)


@pytest.mark.parametrize("logit", [-800.0, 0.0, 800.0])
def test_sigmoid_never_overflows(logit: float) -> None:
    assert 0.0 <= sigmoid(logit) <= 1.0
