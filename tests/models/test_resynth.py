"""Faces drawn anew: networks are trained once, drawing goes on where it stopped."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from unmask.models.errors import UsageError
from unmask.models.training import resynth
from unmask.models.training.pack import read_pack
from unmask.models.training.resynth import KINDS, open_drawers, train_all, write_resynthesis

STEPS = 10


@pytest.fixture(scope="module")
def own_pack(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pack with trained networks: `resynth.raw` would change what other tests draw."""
    copy = tmp_path_factory.mktemp("resynth") / "pack"
    shutil.copytree(pack, copy)
    return copy


def test_networks_train_draw_and_are_not_trained_again(own_pack: Path) -> None:
    """Each face is drawn anew, near its original, and finished networks cost no step."""
    steps: list[tuple[str, int]] = []
    nets = train_all(own_pack, STEPS, lambda kind, done, _: steps.append((kind, done)))
    again: list[tuple[str, int]] = []
    train_all(own_pack, STEPS, lambda kind, done, _: again.append((kind, done)))
    write_resynthesis(own_pack, nets)
    read = read_pack(own_pack)

    assert {kind for kind, _ in steps} == set(KINDS)
    assert again == []
    assert read.resynthesised is not None
    assert read.resynthesised.shape == read.faces.shape
    error = np.abs(read.resynthesised.astype(int) - read.faces).mean((1, 2, 3))
    assert (error > 0).all() and (error < 40).all()
    assert list(own_pack.glob("*.partial")) == []


def test_drawers_are_the_finished_networks(own_pack: Path, tmp_path: Path) -> None:
    """Each draws an aligned face anew, of any size that the networks take; a pack without networks has none."""
    train_all(own_pack, STEPS, lambda *_: None)
    drawers = open_drawers(own_pack)
    face_rgb = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)

    assert open_drawers(tmp_path) == []
    assert len(drawers) == len(KINDS)
    drawn = [draw(face_rgb) for draw in drawers]
    assert all(d.shape == face_rgb.shape and d.dtype == np.uint8 for d in drawn)
    assert not np.array_equal(drawn[0], drawn[1])


def test_other_steps_are_refused(own_pack: Path) -> None:
    with pytest.raises(UsageError, match="10 steps, not 20"):
        train_all(own_pack, 2 * STEPS, lambda *_: None)


def test_a_cut_off_drawing_goes_on(own_pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces that were drawn before are not drawn again, and the outcome is the same."""
    nets = train_all(own_pack, STEPS, lambda *_: None)
    whole = (own_pack / "resynth.raw").read_bytes()
    digest = resynth._digest(nets, 0)
    (own_pack / f"resynth.raw.{digest}.partial").write_bytes(whole[: 3 * resynth.FACE_BYTES + 17])
    (own_pack / "resynth.raw.00000000.partial").write_bytes(b"of other networks")
    drawn: list[int] = []
    write_resynthesis(own_pack, nets, progress=lambda done, _: drawn.append(done))

    assert drawn == [4, 5, 6, 7, 8]
    assert (own_pack / "resynth.raw").read_bytes() == whole
    assert list(own_pack.glob("*.partial")) == []
