"""The choice of a decoder, and what a decoder is told."""

import logging

import av
import pytest
from av.codec.context import Flags, ThreadType

from unmask.pipeline.errors import UsageError
from unmask.stream import decoding
from unmask.stream.decoding import Choice, Decoding, Device, accelerator, choose, set_up

OPENS, CLOSED, SECOND = Device("cuda"), Device("cuda", "does not open"), Device("vaapi")


@pytest.mark.parametrize(
    ("wanted", "found", "faults", "device"),
    [
        ("auto", (), {}, None),
        ("auto", (CLOSED,), {}, None),
        ("auto", (OPENS, SECOND), {}, "cuda"),
        ("auto", (CLOSED, SECOND), {}, "vaapi"),
        ("auto", (OPENS, SECOND), {"cuda": "failed"}, "vaapi"),
        ("cuda", (OPENS, SECOND), {"cuda": "failed"}, None),
        ("vaapi", (OPENS, SECOND), {}, "vaapi"),
        ("qsv", (OPENS, SECOND), {}, None),
        ("software", (OPENS, SECOND), {}, None),
    ],
)
def test_the_first_device_that_works_decodes_and_software_otherwise(
    wanted: str, found: tuple[Device, ...], faults: dict[str, str], device: str | None
) -> None:
    """Every choice has a reason."""
    chosen = choose(wanted, found, faults)

    assert chosen.device == device
    assert chosen.why


def test_the_reason_for_software_names_what_was_tried() -> None:
    """So that nobody has to guess why the GPU is idle."""
    assert str(choose("auto", (CLOSED, SECOND), {"vaapi": "broke"})) == "software (cuda: does not open; vaapi: broke)"


def test_a_choice_is_logged_once_and_again_when_it_changes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A device that failed is given up for good."""
    monkeypatch.setattr(decoding, "devices", lambda: (OPENS,))
    monkeypatch.delenv("UNMASK_DECODER", raising=False)
    ours = Decoding()

    with caplog.at_level(logging.INFO, "unmask.stream.decoding"):
        chosen = [ours.choice(), ours.choice()]
        ours.failed("cuda", "no memory")
        chosen.append(ours.choice())

    assert [choice.device for choice in chosen] == ["cuda", "cuda", None]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]
    assert "no memory" in caplog.records[1].getMessage()


def test_an_unknown_decoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a setting and from the environment alike."""
    with pytest.raises(UsageError, match="unknown decoder 'nvdec'"):
        Decoding().want("nvdec")
    monkeypatch.setenv("UNMASK_DECODER", "nvdec")
    with pytest.raises(UsageError, match="known are auto, software, cuda"):
        Decoding().choice()


def test_the_environment_sets_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Software although a device opens."""
    monkeypatch.setattr(decoding, "devices", lambda: (OPENS,))
    monkeypatch.setenv("UNMASK_DECODER", "software")

    assert Decoding().choice() == Choice(None, "as set")


def test_every_kind_of_device_in_this_build_is_tried() -> None:
    """Whether or not it opens here, one that does not says why."""
    built_in = av.codec.hwaccel.hwdevices_available()

    found = decoding.devices()

    assert [device.name for device in found] == [name for name in decoding.PREFERRED if name in built_in]
    assert all(device.fault or accelerator(Choice(device.name, "")) is not None for device in found)
    assert accelerator(Choice(None, "as set")) is None


def test_a_live_decoder_holds_no_frame_back_for_its_threads() -> None:
    """A file's may: nobody waits for a single frame of it."""
    live, file = av.CodecContext.create("h264", "r"), av.CodecContext.create("h264", "r")

    set_up(live, "live")
    set_up(file, "file")

    assert live.thread_type is ThreadType.SLICE
    assert live.flags & Flags.low_delay
    assert 1 <= live.thread_count <= decoding.MOST_THREADS
    assert file.thread_type is ThreadType.AUTO
