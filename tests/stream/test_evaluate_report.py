"""The page of an evaluation: made of what the folder holds; examples with their maps."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.build import calibration
from tests.stream.test_report import FORGED, NOTHING
from unmask.models.training.plots import Strip, plot_risk, plot_states
from unmask.pipeline.analysis import Analysis, Keyframe, TrackResult
from unmask.pipeline.fusion import DEFAULT_RULE
from unmask.pipeline.types import VerdictState
from unmask.stream.evaluate import scored_from
from unmask.stream.evaluate_ablation import ablation
from unmask.stream.evaluate_examples import choose, read_index, strip, write_examples
from unmask.stream.evaluate_report import text, write_report
from unmask.stream.evaluate_sections import gain_sentence
from unmask.stream.evaluate_streams import stream_figures
from unmask.stream.figures import evaluation
from unmask.stream.labels import LabelledFile
from unmask.stream.scores import Scored

WEIGHTS = {"spatial": "ab" * 32}


def scored(path: str, label: str, p_fake: float, group: str = "") -> Scored:
    row = LabelledFile(path, Path(path), label == "fake", group=group or path, kind="video")
    logits = {"spatial": p_fake, "mri": -p_fake}
    return Scored(row, {"p_fake": p_fake, "spatial": p_fake}, "authentic", 3, raw_logits=logits, reliability=0.5)


FILES = [scored("a<b>.mp4", "fake", 0.9), scored("b", "fake", 0.1), scored("c", "real", 0.2), scored("d", "real", 0.8)]


def files_part() -> dict[str, Any]:
    figures = {**evaluation(FILES), "ablation": ablation(FILES, calibration())}
    return {**figures, "errors": ["<absent> does not exist"], "weights": WEIGHTS}


def streams_part(weights: dict[str, str]) -> dict[str, Any]:
    return {**stream_figures([], [], []), "weights": weights}


def test_an_empty_folder_gives_an_empty_page(tmp_path: Path) -> None:
    """Nothing is claimed."""
    write_report(tmp_path)

    assert "<table>" not in (tmp_path / "report.html").read_text("utf-8")


def test_the_page_shows_every_part_that_the_folder_holds_and_escapes_names(tmp_path: Path) -> None:
    """Parts are evaluated one after the other."""
    (tmp_path / "metrics.json").write_text(json.dumps(files_part()))
    write_report(tmp_path)
    alone = (tmp_path / "report.html").read_text("utf-8")
    (tmp_path / "streams.json").write_text(json.dumps(streams_part(WEIGHTS)))
    write_report(tmp_path)
    both = (tmp_path / "report.html").read_text("utf-8")

    assert "What each part is worth" in alone and "fusion of whole files" in alone
    assert "As live streams" not in alone and "As live streams" in both
    assert "&lt;absent&gt;" in alone and "<absent>" not in alone
    assert "different weights" not in both


def test_parts_of_different_weights_are_pointed_out(tmp_path: Path) -> None:
    """A page must not mix two detectors silently."""
    (tmp_path / "metrics.json").write_text(json.dumps(files_part()))
    (tmp_path / "streams.json").write_text(json.dumps(streams_part({"spatial": "cd" * 32})))
    write_report(tmp_path)

    assert "different weights" in (tmp_path / "report.html").read_text("utf-8")


def test_figures_of_an_older_version_and_damaged_ones_are_left_out(tmp_path: Path) -> None:
    """They lack what the page shows."""
    (tmp_path / "metrics.json").write_text('{"n": 3}')
    (tmp_path / "streams.json").write_text("{")
    write_report(tmp_path)

    assert "<table>" not in (tmp_path / "report.html").read_text("utf-8")


def test_the_terminal_says_what_fusion_is_worth(tmp_path: Path) -> None:
    """In one sentence, also when it is worth nothing."""
    said = text({"metrics.json": files_part()}, tmp_path)

    assert f"Fusion of all branches ({DEFAULT_RULE}) is not above the best branch alone (spatial)" in said
    assert list(gain_sentence(None)) == []


def test_examples_are_the_surest_of_each_kind_one_per_person() -> None:
    """Nobody is shown twice in a kind; files without a probability never."""
    files = [*FILES, scored("e", "fake", 0.95, "p"), scored("f", "fake", 0.99, "p"), scored("g", "fake", 0.97)]
    found = {kind: [one.row.path for k, one in choose(files, 2) if k == kind] for kind, _ in choose(files)}

    assert found == {"fake_right": ["f", "g"], "fake_wrong": ["b"], "real_right": ["c"], "real_wrong": ["d"]}
    assert list(choose([])) == []


def test_an_example_shows_the_face_its_map_and_both() -> None:
    """Without a map there is grey in its place, not the black of an untouched face."""
    crop = np.full((256, 256, 3), 128, np.uint8)
    mapped = strip(Keyframe(0.0, 1, crop, np.full((64, 64), 255, np.uint8), 0.9))
    bare = strip(Keyframe(0.0, 1, crop, None, 0.9))

    assert mapped.shape == bare.shape == (192, 576, 3)
    assert (mapped[:, :192] == 128).all() and mapped[:, 192:384].mean() > 100
    assert mapped[:, 384:, 0].mean() > 200
    assert (bare == 128).all()


def test_strips_are_made_once_and_those_no_longer_shown_are_removed(tmp_path: Path) -> None:
    """Faces stay in the folder only while the page shows them; a file without a keyframe has no example."""
    asked: list[str] = []

    def analysed(one: Scored) -> Analysis:
        asked.append(one.row.path)
        return NOTHING if one.row.path == "b" else FORGED

    first = write_examples(FILES, analysed, tmp_path, "run")
    write_examples(FILES, analysed, tmp_path, "run")
    write_examples(FILES[2:], analysed, tmp_path, "run")

    assert [one.path for one in first] == ["a<b>.mp4", "c", "d"]
    assert asked == ["a<b>.mp4", "b", "c", "d", "b"]
    assert len(list((tmp_path / "examples").glob("*.jpg"))) == len(read_index(tmp_path)) == 2
    picture = cv2.imread(str(tmp_path / "examples" / first[1].picture))
    assert picture is not None and picture.shape == (192, 576, 3)


def test_raw_log_odds_are_those_before_temperature_and_bias() -> None:
    """So that another calibration can be tried without another analysis."""
    track = TrackResult(1, VerdictState.AUTHENTIC, 0.6, 0, 1, 5, {}, (), {"spatial": 1.5}, 0.4)
    fitted = calibration()
    fitted.temperature["spatial"], fitted.bias["spatial"] = 2.0, 0.5
    found = scored_from(FILES[0].row, Analysis(**{**_fields(FORGED), "decisive": track}), fitted)
    nothing = scored_from(FILES[0].row, NOTHING, fitted)

    assert found.raw_logits == pytest.approx({"spatial": 2.0})
    assert found.reliability == 0.4
    assert (dict(nothing.p), dict(nothing.raw_logits), nothing.reliability) == ({}, {}, None)


def test_plots_of_nothing_and_of_little_are_drawn(tmp_path: Path) -> None:
    """No picture fails for want of data."""
    plot_risk({"fusion": ([], []), "spatial": ([1, 0], [0.9, 0.2])}, tmp_path / "risk.png")
    plot_states([], tmp_path / "none.png")
    plot_states([Strip("a", [(0, 1, "authentic"), (1, 2, "no_face")], [0.5])], tmp_path / "one.png")

    assert all((tmp_path / name).stat().st_size > 1000 for name in ("risk.png", "none.png", "one.png"))


def _fields(analysis: Analysis) -> dict[str, Any]:
    return {name: getattr(analysis, name) for name in Analysis.__dataclass_fields__}
