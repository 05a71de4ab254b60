"""The ablation: the same files fused again by every rule."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.build import calibration
from unmask.pipeline.fusion import RULES, fuse
from unmask.pipeline.types import Score
from unmask.stream.evaluate_ablation import ALONE, Variant, ablation, fused_logits, variants
from unmask.stream.labels import LabelledFile
from unmask.stream.scores import Scored

ALL = ("spatial", "mri", "temporal")


def scored(path: str, label: str, dataset: str = "", **raw: float) -> Scored:
    row = LabelledFile(path, Path(path), label == "fake", dataset=dataset, group=path, kind="video")
    return Scored(row, {"p_fake": 0.5}, "uncertain", 3, raw_logits=raw)


GOOD_SPATIAL = [
    scored("a", "fake", "One c23", spatial=3.0, mri=-1.0, temporal=0.5),
    scored("b", "fake", "One c23", spatial=2.0, mri=2.0, temporal=-1.0),
    scored("c", "real", "One originals c23", spatial=-2.0, mri=1.0, temporal=0.0),
    scored("d", "real", "Two", spatial=-1.0, mri=-2.0, temporal=1.0),
]


def test_an_empty_set_has_no_rows() -> None:
    """Nothing was compared, and nothing is claimed."""
    found = ablation([], calibration())

    assert (found["n"], found["rows"], found["gain"]) == (0, [], None)


def test_every_branch_pair_rule_and_temperature_is_one_variant() -> None:
    """Three alone, three pairs and all by three rules, each twice."""
    found = list(variants(ALL))

    assert len(found) == len(set(found)) == (3 + 3 * len(RULES) + len(RULES)) * 2
    assert {one.rule for one in found if len(one.branches) == 1} == {ALONE}


def test_a_variant_is_the_pipelines_own_fusion() -> None:
    """With temperature and bias, by the same function as live."""
    fitted = replace(calibration(), temperature=dict.fromkeys(ALL, 2.0), bias=dict.fromkeys(ALL, 0.5))
    one = GOOD_SPATIAL[0]
    by_hand = {name: Score(raw / 2 + 0.5, 0.0, 0.0, 0.0) for name, raw in one.raw_logits.items()}
    expected = fuse(by_hand, fitted, "logit")

    assert expected is not None
    assert fused_logits(Variant(ALL, "logit", True), [one], fitted) == pytest.approx([expected[0]])
    assert fused_logits(Variant(("mri",), ALONE, False), [one], fitted) == [-1.0]
    assert fused_logits(Variant(("mri",), ALONE, True), [one], fitted) == [0.0]


def test_rows_say_what_each_variant_is_worth_overall_and_by_dataset() -> None:
    """The genuine half of a dataset belongs to it; a dataset without both classes has no AUC."""
    rows = ablation(GOOD_SPATIAL, calibration())["rows"]
    spatial = next(row for row in rows if row["branches"] == ["spatial"] and row["temperature"])
    temporal = next(row for row in rows if row["branches"] == ["temporal"] and row["temperature"])

    assert spatial["auc"] == 1.0 and temporal["auc"] == 0.25
    assert spatial["auc_by_dataset"] == {"One c23": 1.0, "Two": None}


def test_the_gain_of_fusion_is_against_the_best_branch_and_can_be_negative() -> None:
    """A wrong branch that is surer than a good one costs."""
    loud = [
        scored("a", "fake", "One c23", spatial=1.0, mri=0.0, temporal=-3.0),
        scored("b", "fake", "One c23", spatial=1.0, mri=0.0, temporal=-3.0),
        scored("c", "real", "One originals c23", spatial=-1.0, mri=0.0, temporal=3.0),
        scored("d", "real", "Two", spatial=-1.0, mri=0.0, temporal=3.0),
    ]
    gain = ablation(loud, calibration())["gain"]

    assert gain["best_branch"] == "spatial"
    assert (gain["auc_best_branch"], gain["auc_fused"], gain["auc_gain"]) == (1.0, 0.0, -1.0)


def test_all_rows_are_over_the_files_that_every_branch_answered() -> None:
    """Otherwise a branch would be compared on easier files."""
    found = ablation([*GOOD_SPATIAL, scored("e", "fake", spatial=-9.0, mri=0.0)], calibration())

    assert found["n"] == 4
    assert all(row["auc"] == 1.0 for row in found["rows"] if row["branches"] == ["spatial"])


def test_a_branch_that_is_mostly_silent_is_left_out_and_the_files_stay() -> None:
    """Pictures have no temporal score."""
    files = [scored(name, label, spatial=1.0, mri=0.0) for name, label in (("a", "fake"), ("b", "real"), ("c", "real"))]
    found = ablation([*files, GOOD_SPATIAL[0]], calibration())

    assert found["branches"] == ["spatial", "mri"]
    assert found["n"] == 4
