"""`unmask evaluate --streams` and `--robustness` on a real clip with the shipped networks."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data

from unmask.stream import cli, evaluate
from unmask.stream.evaluate_conditions import conditions

pytestmark = pytest.mark.e2e

SHOWN = ("clean", "H.264 150 kbit/s", "face 64 px")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds of a public-domain portrait drifting through the picture, as H.264."""
    path = tmp_path / "clips" / "drift.mp4"
    path.parent.mkdir()
    image = np.ascontiguousarray(skimage.data.astronaut()[:384, 64:448])  # type: ignore[no-untyped-call]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "20", "threads": "1"})
        stream.width = stream.height = 384
        stream.pix_fmt = "yuv420p"
        for shift in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(image, shift, axis=1), format="rgb24")))
        container.mux(stream.encode())
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leaving:
        cli.run(["evaluate", *(str(argument) for argument in arguments), "--device", "cpu"])
    return int(leaving.value.code or 0)


def test_a_genuine_clip_is_played_and_degraded_into_one_report(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both parts write their figures and pictures, and the page has both."""
    monkeypatch.setattr(evaluate, "conditions", lambda: [one for one in conditions() if one.name in SHOWN])
    labels, out = tmp_path / "labels.csv", tmp_path / "out"
    labels.write_text("path,label\nclips/drift.mp4,real\n")

    assert run("--streams", clip.parent, "--out", out, "--json") == 0
    streams = json.loads(capsys.readouterr().out)["streams"]
    assert run("--labels", labels, "--robustness", "--out", out) == 0
    said = capsys.readouterr().out

    assert streams["genuine"]["hours"] == pytest.approx(2 / 3600, abs=1e-4)
    assert streams["genuine"]["face_share"] > 0.8
    found = json.loads((out / "robustness.json").read_text("utf-8"))
    assert [row["name"] for row in found["conditions"]] == list(SHOWN)
    assert [row["coverage"] for row in found["conditions"]] == [1.0, 1.0, 1.0]
    assert all(name in said for name in SHOWN)
    page = (out / "report.html").read_text("utf-8")
    assert "As live streams" in page and "Under bad conditions" in page
    assert page.count("data:image/png;base64,") == 1, "the strips; without fakes there is no AUC to draw"


def test_an_evaluation_of_nothing_named_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The grid needs labels, and so does a plain evaluation."""
    for arguments in ([], ["--robustness"], ["--robustness", "--streams", tmp_path]):
        assert run(*arguments, "--out", tmp_path / "out") == 2
        assert "--labels" in capsys.readouterr().err
