"""Calibration: recovers a known temperature, ignores a useless branch, refuses a single class."""

import numpy as np
import pytest

from unmask.models.training.calibrate import FileScores, fit_calibration, fit_temperature


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="genuine and forged"):
        fit_calibration([FileScores({"spatial": 1.0}, True)])


def test_known_temperature_is_found() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-true))).astype(float)
    temperature, bias = fit_temperature(3 * true + 1.5, labels)

    assert temperature == pytest.approx(3.0, rel=0.1)
    assert bias == pytest.approx(-0.5, abs=0.1)


def test_separable_scores_do_not_blow_up() -> None:
    temperature, bias = fit_temperature(np.array([-1.0, -1.0, 1.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))

    assert 0.3 <= temperature <= 10
    assert np.isfinite(bias)


def test_a_branch_that_knows_nothing_gets_the_least_weight_and_none_is_negative() -> None:
    rng = np.random.default_rng(1)
    files = []
    for i in range(600):
        sign = 1.0 if i % 2 else -1.0
        logits = {
            "spatial": float(rng.normal(2 * sign, 1.5)),
            "temporal": float(rng.normal(sign, 1.5)),
            "mri": float(rng.normal(0, 1)),
        }
        files.append(FileScores(logits, bool(i % 2)))
    weight = fit_calibration(files).weight

    assert min(weight.values()) >= 0
    assert weight["spatial"] > weight["temporal"] > weight["mri"]


def test_files_without_a_branch_still_calibrate_the_others() -> None:
    rng = np.random.default_rng(2)
    files = [FileScores({"spatial": float(rng.normal(1 if i % 2 else -1, 1))}, bool(i % 2)) for i in range(100)]

    assert set(fit_calibration(files).temperature) == {"spatial"}
