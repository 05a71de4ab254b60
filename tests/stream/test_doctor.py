"""`unmask doctor`: findings in one shape, and an exit code for what is essential."""

import json
from pathlib import Path

import pytest

from unmask.stream import doctor
from unmask.stream.doctor import Check, run_doctor


def test_every_finding_has_a_name_a_status_and_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON form holds the same findings as the lines."""
    code = run_doctor(True)
    found = json.loads(capsys.readouterr().out)

    names = [check["name"] for check in found["checks"]]
    assert {"python", "weights", "inference", "codecs", "cameras", "port", "udp", "ice", "memory"} <= set(names)
    assert len(names) == len(set(names))
    assert all(check["status"] in ("ok", "warn", "fail") and check["detail"] for check in found["checks"])
    assert code == (0 if found["ok"] else 1)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_only_an_essential_failure_fails(
    status: doctor.Status, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without a camera is fine; one without weights is not."""
    monkeypatch.setattr(doctor, "all_checks", lambda: iter([Check("thing", status, "is so", "do this")]))

    assert run_doctor(False) == code
    assert "is so; do this" in capsys.readouterr().out


def test_altered_weights_are_an_essential_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without weights is found, not passed over."""
    monkeypatch.setattr("unmask.models.store.SHIPPED_DIR", tmp_path)

    assert doctor.weights().status == "fail"
