"""The experiment bench: runs are trained once, judged alike, resumed, and a failing one does not end the queue."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.build import portrait
from unmask.models.errors import UsageError
from unmask.models.training import bench as bench_module
from unmask.models.training.bench import Bench, Entry, State, read_queue
from unmask.models.training.bench_judge import Labelled, crops_of, judge_labelled
from unmask.models.training.bench_table import results_table
from unmask.models.training.forgery import FAMILIES
from unmask.models.training.recipes import SpatialRecipe

QUICK = SpatialRecipe(
    start="shipped", steps=1, pairs_per_batch=1, frozen_blocks=10, patch_px=64, validation_share=0.25,
    validation_pairs=1, workers=0, statistics_batches=0,
)  # fmt: skip


def queue(tmp_path: Path, text: str) -> list[Entry]:
    file = tmp_path / "queue.toml"
    file.write_text(text)
    return read_queue(file)


def labelled(folder: Path) -> list[Labelled]:
    """Two genuine portraits, two blurred ones, and a file that is no picture."""
    items = []
    for i in range(4):
        image = cv2.cvtColor(portrait(), cv2.COLOR_RGB2BGR)
        file = folder / f"{i}.png"
        cv2.imwrite(str(file), cv2.GaussianBlur(image, (0, 0), 2 + i) if i > 1 else image + np.uint8(i))
        items.append(Labelled(file, file.name, i > 1, "portraits", False))
    (folder / "broken.png").write_text("no")
    return [*items, Labelled(folder / "broken.png", "broken.png", True, "portraits", False)]


def test_the_sample_queue_leaves_out_every_family_once() -> None:
    """And each left-out family is absent from that run's shares only."""
    entries = read_queue(None)

    assert sorted(e.left_out for e in entries if e.left_out) == sorted(FAMILIES)
    assert all(e.left_out not in (e.recipe.families or FAMILIES) for e in entries if e.left_out)


def test_common_settings_hold_for_every_run_and_runs_are_stronger(tmp_path: Path) -> None:
    first, second = queue(
        tmp_path, '[common]\nsteps = 5\npatch_px = 64\n[[run]]\nname = "a"\n[[run]]\nname = "b"\npatch_px = 96\n'
    )

    assert (first.recipe.steps, first.recipe.patch_px) == (5, 64)
    assert (second.recipe.steps, second.recipe.patch_px) == (5, 96)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"\[\[run\]\]"),
        ("[common]\n[runs]\n", "unknown table runs"),
        ("[[run]]\nsteps = 5\n", "run 1 needs a name"),
        ('[[run]]\nname = "../a"\n', "needs a name"),
        ('[[run]]\nname = "a"\n[[run]]\nname = "a"\n', "a is used twice"),
        ('[[run]]\nname = "a"\nleft_out = "magic"\n', "unknown forgery family magic"),
        ('[[run]]\nname = "a"\nleft_out = "whole"\nfamilies = {whole = 1.0}\n', "no forgery family is left"),
        ('[[run]]\nname = "a"\nnonsense = 1\n', "queue.toml, a: unknown setting nonsense"),
        ('[[run]]\nname = "a"\nsteps = 5\n[[run]]\nname = "b"\nsteps = 6\n', "steps must be the same"),
    ],
)
def test_a_wrong_queue_is_refused(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=told):
        queue(tmp_path, text)


def test_a_queue_is_trained_judged_and_not_done_twice(pack: Path, tmp_path: Path) -> None:
    """A failing run is recorded and the next one still runs; a second call only tries the failed one again."""
    families = {k: v for k, v in FAMILIES.items() if k != "whole"}
    entries = [
        Entry("broken", replace(QUICK, start=str(tmp_path / "no_such_file.pt"))),
        Entry("without_whole", replace(QUICK, families=families), "whole"),
    ]
    (tmp_path / "files").mkdir()
    items = labelled(tmp_path / "files")
    work = Bench(pack, entries, tmp_path / "out", items, pairs=2)
    assert [s.status for s in work.states()] == ["waiting", "waiting"]
    states = work.run(lambda _: None)

    assert [s.status for s in states] == ["failed", "done"]
    assert "no_such_file.pt" in states[0].error
    figures = states[1].figures
    assert figures is not None
    assert set(figures["pairs"]) == {"mean", *FAMILIES} - {"resynth"}
    assert figures["labelled"]["datasets"] == {
        "portraits": {"auc": figures["labelled"]["pooled"], "real": 2, "fake": 2}
    }
    assert figures["labelled"]["without_face"] == 1
    listed = json.loads((tmp_path / "out/results.json").read_text())
    assert [row["name"] for row in listed] == ["without_whole", "broken"]
    assert "| broken |" in (tmp_path / "out/results.md").read_text()

    said: list[str] = []
    Bench(pack, entries, tmp_path / "out", items, pairs=2).run(said.append)
    assert "without_whole: done before" in said
    assert "broken: training" in said


def test_labels_given_later_are_judged_without_training(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trained weights are taken from the run's folder."""
    entries = [Entry("base", QUICK)]
    Bench(pack, entries, tmp_path, pairs=1).run(lambda _: None)
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(bench_module, "train_spatial", None)
    states = Bench(pack, entries, tmp_path, labelled(tmp_path / "files"), pairs=1).run(lambda _: None)

    assert states[0].status == "done"
    assert states[0].figures is not None
    assert states[0].figures["labelled"]["without_face"] == 1


def test_crops_are_found_once(tmp_path: Path) -> None:
    """A second look needs the file no more to be opened; no face gives no crops."""
    items = labelled(tmp_path)
    first = crops_of(items[0], tmp_path / "crops")
    kept = list((tmp_path / "crops").iterdir())
    kept[0].touch()
    again = crops_of(items[0], tmp_path / "crops")

    assert first.shape == (1, 256, 256, 3)
    assert np.array_equal(first, again)
    assert list((tmp_path / "crops").iterdir()) == kept
    assert crops_of(items[4], tmp_path / "crops").shape == (0, 256, 256, 3)


def test_pooled_figures_see_the_shift_between_sets(tmp_path: Path) -> None:
    """Perfect inside each set, at chance over both when one set's scores are shifted: images leave the videos alone."""
    logits = {"a0": 0.0, "a1": 1.0, "b0": 2.0, "b1": 3.0, "image": 9.0}
    items = [Labelled(tmp_path / key, key, key.endswith("1"), key[0], key != "image") for key in logits]
    crops = {key: np.full((1, 256, 256, 3), i, np.uint8) for i, key in enumerate(logits)}
    values = list(logits.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unmask.models.training.bench_judge.crops_of", lambda item, _: crops[item.key])
        found = judge_labelled(items, tmp_path, lambda c: np.array([values[int(c[0, 0, 0, 0])]], np.float32))

    assert found["within"] == 1.0
    assert found["pooled"] == 0.75
    assert found["over"] == "video"


def test_an_empty_labelled_set_has_no_figures(tmp_path: Path) -> None:
    found = judge_labelled([], tmp_path, lambda _: np.zeros(0, np.float32))

    assert (found["pooled"], found["within"], found["datasets"]) == (None, None, {})


def test_the_table_brackets_what_a_run_never_saw() -> None:
    pairs = {"mean": 0.7, "whole": 0.6, "organ": 0.8}
    table = results_table(
        [
            State("base", "done", 5, 5, figures={"pairs": pairs, "labelled": None, "left_out": "whole"}),
            State("next", "running", 2, 5),
            State("last", "failed", 0, 5, error="no | memory"),
        ]
    )

    assert "| base | 0.700 | [0.600] | 0.800 | done |" in table
    assert "| next | - | - | - | step 2 of 5 |" in table
    assert "failed: no / memory" in table
