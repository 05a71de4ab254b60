"""The figures of an evaluation: slices, headline, coverage."""

from pathlib import Path

import pytest

from unmask.stream.figures import evaluation
from unmask.stream.labels import LabelledFile
from unmask.stream.scores import Scored


def scored(path: str, label: str, p_fake: float | None, **columns: str) -> Scored:
    row = LabelledFile(path, Path(path), label == "fake", **{"group": path, **columns})
    return Scored(row, {} if p_fake is None else {"p_fake": p_fake, "spatial": 1 - p_fake}, "authentic", 3)


def test_an_empty_set_has_no_figures() -> None:
    """Nothing becomes a number by default."""
    found = evaluation([])

    assert found["n"] == 0
    assert found["coverage"] is None
    assert found["auc"] == {"fusion": None, "spatial": None, "mri": None, "temporal": None}
    assert found["eer"] is None and found["ece"] is None and found["brier"] is None
    assert found["tpr_at_fpr"] == {"0.01": None, "0.05": None}
    assert found["by_method"] == {} and found["by_dataset"] == {}


def test_a_file_without_a_probability_counts_against_coverage_only() -> None:
    """A failure is never a score."""
    files = [scored("a", "fake", 0.9), scored("b", "real", 0.2), scored("c", "fake", None), scored("d", "real", None)]
    found = evaluation(files)

    assert found["n"] == 4
    assert found["coverage"] == 0.5
    assert found["auc"]["fusion"] == 1.0
    assert found["auc"]["spatial"] == 0.0
    assert found["auc"]["mri"] is None
    assert found["brier"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert found["tpr_at_fpr"] == {"0.01": 1.0, "0.05": 1.0}


def test_videos_are_the_headline_when_there_are_both_classes_of_them() -> None:
    """Images stay apart, and the headline says what it is over."""
    videos = [scored("a", "fake", 0.9, kind="video"), scored("b", "real", 0.1, kind="video")]
    images = [scored("c", "fake", 0.1, kind="image"), scored("d", "real", 0.9, kind="image")]

    both, alone = evaluation(videos + images), evaluation(videos[:1] + images)

    assert both["headline"]["over"] == "video"
    assert both["auc"]["fusion"] == 1.0
    assert both["n"] == 4 and both["headline"]["n"] == 2
    assert both["by_kind"]["image"]["auc"]["fusion"] == 0.0
    assert alone["headline"]["over"] == "all"


def test_a_method_is_measured_against_the_real_files_of_its_dataset() -> None:
    """The genuine half of a dataset belongs to it, whatever it is called."""
    files = [
        scored("a", "fake", 0.6, method="swap", dataset="Faces c23"),
        scored("b", "real", 0.5, method="none", dataset="Faces originals c23"),
        scored("c", "real", 0.9, method="none", dataset="Other"),
        scored("d", "fake", 0.7, method="puppet", dataset="Lonely"),
    ]
    found = evaluation(files)

    assert sorted(found["by_method"]) == ["puppet", "swap"]
    assert found["by_method"]["swap"]["auc"]["fusion"] == 1.0
    assert found["by_method"]["swap"]["against"] == "real files of the same dataset"
    assert found["by_method"]["puppet"]["against"] == "all real files"
    assert found["by_method"]["puppet"]["auc"]["fusion"] == 0.5
    assert sorted(found["by_dataset"]) == ["Faces c23", "Lonely"]


def test_a_single_branch_run_has_no_fusion_figure() -> None:
    """`--method spatial` never shows its score under the name of the fusion."""
    files = [scored("a", "fake", 0.9), scored("b", "real", 0.2)]
    found = evaluation(files, "spatial")

    assert found["auc"]["fusion"] is None
    assert found["method"] == "spatial"


def test_intervals_come_with_groups() -> None:
    """With several groups the AUC has a 95 % interval, with one it has none."""
    several = [scored(str(index), "fake" if index % 2 else "real", (index % 7) / 7) for index in range(40)]
    one = [scored(str(index), "fake" if index % 2 else "real", (index % 7) / 7, group="g") for index in range(40)]

    low, high = evaluation(several)["auc_ci95"]["fusion"]

    assert 0 <= low < high <= 1
    assert evaluation(one)["auc_ci95"]["fusion"] is None
