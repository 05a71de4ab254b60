"""The figures of an evaluation against hand-computed values and plain counting."""

import itertools

import numpy as np
import pytest

from unmask.models.training import metrics


def counted_auc(labels: list[int], scores: list[float]) -> float:
    fakes = [s for y, s in zip(labels, scores, strict=True) if y]
    reals = [s for y, s in zip(labels, scores, strict=True) if not y]
    return float(np.mean([(f > r) + 0.5 * (f == r) for f, r in itertools.product(fakes, reals)]))


def test_an_empty_set_has_no_figures() -> None:
    """Nothing is said of nothing."""
    assert metrics.auc([], []) is None
    assert metrics.eer([], []) is None
    assert metrics.tpr_at_fpr([], [], 0.05) is None
    assert metrics.brier([], []) is None
    assert metrics.ece([], []) is None
    assert metrics.aurc([], []) is None
    assert metrics.reliability([], []) == []
    assert metrics.bootstrap_auc([], [], []) is None


def test_one_class_alone_has_no_ranking_figures() -> None:
    """AUC, EER and the ROC need both classes; calibration does not."""
    assert metrics.auc([1, 1], [0.2, 0.9]) is None
    assert metrics.roc([0, 0], [0.2, 0.9]) is None
    assert metrics.bootstrap_auc([1, 1], [0.2, 0.9], ["a", "b"]) is None
    assert metrics.brier([1, 1], [1.0, 0.0]) == 0.5


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 1], [0.1, 0.9], 1.0),
        ([0, 1], [0.9, 0.1], 0.0),
        ([0, 1], [0.5, 0.5], 0.5),
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),
    ],
)
def test_auc_equals_the_hand_computed_value(labels: list[int], scores: list[float], expected: float) -> None:
    """Ranking is what counts, ties count half."""
    assert metrics.auc(labels, scores) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_auc_equals_counting_all_pairs_and_the_area_under_the_curve(seed: int) -> None:
    """Three ways to the same number, with many ties."""
    rng = np.random.default_rng(seed)
    labels = [0, 1, *rng.integers(0, 2, 58).tolist()]
    scores = np.round(rng.random(60), 1).tolist()

    value = metrics.auc(labels, scores)
    curve = metrics.roc(labels, scores)

    assert curve is not None
    assert value == pytest.approx(counted_auc(labels, scores))
    assert value == pytest.approx(float(np.trapezoid(curve.tpr, curve.fpr)))


def test_the_roc_has_one_point_per_distinct_score() -> None:
    """Ties move diagonally, not in a staircase that depends on the order of the files."""
    curve = metrics.roc([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])

    assert curve is not None
    assert curve.fpr.tolist() == [0.0, 0.0, 0.5, 1.0]
    assert curve.tpr.tolist() == [0.0, 0.5, 1.0, 1.0]
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.5, 0.1]


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.0),
        ([0, 0, 1, 1], [0.8, 0.9, 0.1, 0.2], 1.0),
        ([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], 0.5),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 0.5),
    ],
)
def test_eer_equals_the_hand_computed_value(labels: list[int], scores: list[float], expected: float) -> None:
    """The two error rates meet, between two thresholds if need be."""
    assert metrics.eer(labels, scores) == pytest.approx(expected)


def test_tpr_at_fpr_never_allows_more_false_alarms_than_asked() -> None:
    """With ten real files, one false alarm is 10 %: too many for 5 %, allowed at 10 %."""
    labels = [0] * 10 + [1] * 4
    scores = [0.1] * 9 + [0.7] + [0.2, 0.6, 0.8, 0.9]

    assert metrics.tpr_at_fpr(labels, scores, 0.05) == 0.5
    assert metrics.tpr_at_fpr(labels, scores, 0.10) == 1.0
    assert metrics.tpr_at_fpr(labels, [1.0] * 14, 0.05) == 0.0


def test_ece_of_a_calibrated_set_is_zero_and_of_an_overconfident_one_is_the_gap() -> None:
    """At p = 0.75 three of four are fake; at p = 1 only half are."""
    assert metrics.ece([1, 1, 1, 0], [0.75] * 4) == pytest.approx(0.0)
    assert metrics.ece([1, 0], [1.0, 1.0]) == pytest.approx(0.5)
    assert metrics.ece([0, 0, 1, 1], [0.2, 0.2, 0.6, 0.6], bins=2) == pytest.approx(0.3)


def test_ece_at_even_odds_does_not_blame_probabilities_for_what_the_set_holds() -> None:
    """Stated at even odds, 0.2 and 0.8; nine fakes to one real then leave other shares behind in the bins."""
    labels = [1] * 36 + [0] * 16 + [1] * 144 + [0] * 4
    p = [0.2] * 52 + [0.8] * 148

    assert metrics.ece(labels, p, even_odds=True) == pytest.approx(0.0, abs=1e-9)
    assert metrics.ece(labels, p) == pytest.approx((52 * (36 / 52 - 0.2) + 148 * (144 / 148 - 0.8)) / 200)
    assert metrics.ece([1, 1], [0.2, 0.8], even_odds=True) is None


def test_bins_hold_at_least_twelve_files_where_there_are_enough() -> None:
    assert [metrics.bin_count(files) for files in (4, 36, 61, 180, 5000)] == [3, 3, 5, 15, 15]
    assert [part.count for part in metrics.reliability([0, 1] * 30, np.arange(60) / 60)] == [12] * 5


def test_chance_alone_looks_like_miscalibration_the_more_the_fewer_the_files() -> None:
    rng = np.random.default_rng(1)

    def by_chance(files: int) -> float:
        p = rng.random(files)
        return metrics.ece_by_chance(rng.random(files) < p, p) or 0.0

    assert by_chance(40) > 2 * by_chance(4000) > 0
    assert metrics.ece_by_chance([1, 1], [0.2, 0.8]) is None


def test_reliability_bins_hold_equal_numbers_and_keep_ties_together() -> None:
    """Nine distinct values in three bins are three each; equal values are never split by their order."""
    distinct = metrics.reliability([0, 0, 0, 0, 1, 0, 1, 1, 1], np.arange(9) / 10, bins=3)
    tied = metrics.reliability([0, 1, 0, 1, 1], [0.3, 0.3, 0.3, 0.3, 0.9], bins=5)

    assert [part.count for part in distinct] == [3, 3, 3]
    assert [part.mean_p for part in distinct] == pytest.approx([0.1, 0.4, 0.7])
    assert [part.share_fake for part in distinct] == pytest.approx([0.0, 1 / 3, 1.0])
    assert [(part.count, part.share_fake) for part in tied] == [(4, 0.5), (1, 1.0)]


def test_bootstrap_draws_groups_and_repeats_with_its_seed() -> None:
    """Copies of a file within a group add no certainty; the same seed gives the same interval."""
    rng = np.random.default_rng(3)
    labels = np.arange(40) % 2
    scores = labels * 0.3 + rng.random(40)
    groups = np.arange(40) // 2

    once = metrics.bootstrap_auc(labels, scores, groups)
    copied = metrics.bootstrap_auc(np.repeat(labels, 5), np.repeat(scores, 5), np.repeat(groups, 5))
    value = metrics.auc(labels, scores)

    assert once is not None and value is not None
    assert once == copied
    assert once == metrics.bootstrap_auc(labels, scores, groups, seed=0)
    assert 0.0 <= once[0] < value < once[1] <= 1.0


def test_bootstrap_says_nothing_with_one_group() -> None:
    """One person is no sample of people."""
    assert metrics.bootstrap_auc([0, 1], [0.1, 0.9], ["a", "a"]) is None


def test_risk_falls_with_coverage_when_the_confident_files_are_right() -> None:
    """The only wrong file is the least confident one."""
    coverage, risk = metrics.risk_coverage([1, 0, 1, 0], [0.95, 0.05, 0.8, 0.55])

    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == [0.0, 0.0, 0.0, 0.25]
    assert metrics.aurc([1, 0, 1, 0], [0.95, 0.05, 0.8, 0.55]) == pytest.approx(0.0625)


@pytest.mark.parametrize(
    ("labels", "scores"), [([0, 1], [0.5]), ([0, 2], [0.1, 0.2]), ([0, 1], [0.1, float("nan")]), ([[0, 1]], [[0, 1]])]
)
def test_senseless_input_is_refused(labels: list[int], scores: list[float]) -> None:
    """A missing score must be left out by the caller, never counted as a number."""
    with pytest.raises(ValueError, match=r"labels|scores"):
        metrics.auc(labels, scores)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (2, 0.2422, 7.2247), (100, 81.364, 121.627)]
)
def test_the_poisson_interval_is_the_exact_one(count: int, low: float, high: float) -> None:
    """Values of the chi-square tables (Garwood 1936)."""
    assert metrics.poisson_interval(count) == pytest.approx((low, high), abs=2e-3)


def test_a_negative_count_and_a_share_above_one_are_refused() -> None:
    """They are mistakes of the caller."""
    with pytest.raises(ValueError, match="negative"):
        metrics.poisson_interval(-1)
    with pytest.raises(ValueError, match="3 of 2"):
        metrics.share_interval(3, 2)


def test_the_interval_of_a_share_stays_within_0_and_1() -> None:
    """Wilson's interval, also at the ends; a share of nothing has none."""
    assert metrics.share_interval(0, 0) is None
    assert metrics.share_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert metrics.share_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
    assert metrics.share_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)


def test_the_gain_over_oneself_is_surely_nothing_and_over_chance_surely_something() -> None:
    """The same files are drawn for both."""
    rng = np.random.default_rng(3)
    labels, groups = np.arange(80) % 2, np.arange(80) // 2
    chance = rng.random(80)

    assert metrics.bootstrap_auc_gain(labels, chance, chance, groups) == (0.0, 0.0)
    interval = metrics.bootstrap_auc_gain(labels, labels + 0.1 * chance, chance, groups)
    assert interval is not None and interval[0] > 0.2
    assert metrics.bootstrap_auc_gain(labels, chance, chance, np.zeros(80)) is None


def test_any_figure_gets_an_interval_over_groups() -> None:
    """It holds the figure; one group alone, or a figure that is never there, has none."""
    rng = np.random.default_rng(4)
    labels, groups = np.arange(60) % 2, np.arange(60) // 2
    p = np.clip(rng.normal(0.35 + 0.3 * labels, 0.2), 0, 1)
    interval, found = metrics.bootstrap(metrics.brier, labels, p, groups), metrics.brier(labels, p)

    assert interval is not None and found is not None
    assert interval[0] < found < interval[1]
    assert metrics.bootstrap(metrics.brier, labels, p, np.zeros(60)) is None
    assert metrics.bootstrap(metrics.eer, np.ones(60), p, groups) is None
    assert metrics.bootstrap(metrics.brier, [], [], []) is None
