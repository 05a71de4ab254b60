"""`unmask doctor`: one line for everything that a run depends on."""

import json
import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

from unmask.pipeline.errors import UsageError, WeightsError

Status = Literal["ok", "warn", "fail"]
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
DECODERS = ("h264", "hevc", "vp8", "vp9", "mjpeg")
ENCODERS = ("libx264", "libvpx")
MIN_MEMORY_GB, MIN_DISK_GB = 2.0, 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `fail` means that unmask cannot do its main job here."""

    name: str
    status: Status
    detail: str
    hint: str = ""


def run_doctor(json_object: bool) -> int:
    """Prints every finding; the exit code is 1 when one of them is `fail`."""
    checks = list(all_checks())
    failed = any(check.status == "fail" for check in checks)
    if json_object:
        typer.echo(json.dumps({"schema": 1, "ok": not failed, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            mark = typer.style(f"{check.status:5}", fg=COLOURS[check.status])
            typer.echo(f"{mark}{check.name:12}{check.detail}" + (f"; {check.hint}" if check.hint else ""))
    return int(failed)


def all_checks() -> Iterator[Check]:
    """Every finding, in the order of importance."""
    probes: tuple[Callable[[], Check], ...] = (
        python,
        weights,
        processor,
        inference,
        gpu,
        codecs,
        decoder,
        ffmpeg,
        cameras,
        tcp_port,
        udp,
        ice,
        memory,
        disk,
    )
    for probe in probes:
        yield probe()


def python() -> Check:
    """The interpreter."""
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok", detail)


def weights() -> Check:
    """The shipped networks, their hashes computed again."""
    from unmask.models.store import SHIPPED_DIR
    from unmask.stream.weights_cli import check

    try:
        checked = list(check(SHIPPED_DIR))
    except WeightsError as error:
        return Check("weights", "fail", str(error), "install unmask again")
    bad = [f"{one.name} {one.status}" for one in checked if one.status != "ok"]
    if bad or not checked:
        return Check("weights", "fail", ", ".join(bad) or "none listed", "install unmask again")
    return Check("weights", "ok", ", ".join(one.name for one in checked) + " verified")


def processor() -> Check:
    """Cores and vector extensions."""
    from unmask.models import machine

    flags = machine.vector_flags()
    detail = f"{machine.cpu_model()}, {machine.cores()} cores, {' '.join(flags) or 'no known vector extensions'}"
    if machine.cores() < 2:
        return Check("processor", "warn", detail, "live verdicts need two cores or a GPU")
    if not flags:
        return Check("processor", "warn", detail, "inference will be slow")
    return Check("processor", "ok", detail)


def inference() -> Check:
    """The runtimes."""
    from unmask.models import machine

    try:
        devices = machine.openvino_devices()
    except (ImportError, RuntimeError) as error:
        return Check("inference", "fail", f"OpenVINO does not start: {error}", "install unmask again")
    found = machine.versions()
    return Check(
        "inference",
        "ok" if "CPU" in devices else "fail",
        f"torch {found.get('torch', 'absent')}, OpenVINO {found.get('openvino', 'absent')} on {', '.join(devices)}",
    )


def gpu() -> Check:
    """CUDA."""
    from unmask.models import machine

    try:
        names = machine.cuda_devices()
    except (ImportError, RuntimeError) as error:
        return Check("gpu", "warn", f"PyTorch does not start: {error}", "the CPU is used")
    return Check("gpu", "ok", ", ".join(names) if names else "no CUDA device; the CPU is used")


def codecs() -> Check:
    """What can be decoded (cameras, files) and encoded (the demo, WebRTC)."""
    import av
    from av.codec import Codec

    def absent(names: tuple[str, ...], mode: Literal["r", "w"]) -> list[str]:
        missing = []
        for name in names:
            try:
                Codec(name, mode)
            except av.codec.codec.UnknownCodecError:
                missing.append(name)
        return missing

    no_decoder, no_encoder = absent(DECODERS, "r"), absent(ENCODERS, "w")
    if "h264" in no_decoder:
        return Check("codecs", "fail", "no H.264 decoder", "install av from its own wheels")
    if no_decoder or no_encoder:
        return Check("codecs", "warn", f"absent: {', '.join(no_decoder + no_encoder)}", "some sources will not open")
    return Check("codecs", "ok", f"decode {', '.join(DECODERS)}; encode {', '.join(ENCODERS)}")


def decoder() -> Check:
    """What decodes the video of cameras, and why."""
    from unmask.stream.decoding import DECODING

    try:
        return Check("decoder", "ok", str(DECODING.choice()))
    except UsageError as error:
        return Check("decoder", "fail", str(error), "correct UNMASK_DECODER")


def ffmpeg() -> Check:
    """The FFmpeg inside PyAV."""
    import av

    libavcodec = ".".join(str(part) for part in av.library_versions.get("libavcodec", ()))
    return Check("ffmpeg", "ok", f"libavcodec {libavcodec} in PyAV {av.__version__}")


def cameras() -> Check:
    """Webcams."""
    found = sorted(Path("/dev").glob("video*"))
    closed = [str(path) for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return Check("cameras", "warn", f"not allowed to open {', '.join(closed)}", "join the group `video`")
    if not found:
        return Check("cameras", "warn", "none in /dev", "RTSP, files, demo: and browsers work without one")
    return Check("cameras", "ok", ", ".join(str(path) for path in found))


def tcp_port() -> Check:
    """The port of `unmask serve`."""
    from unmask.stream.settings import ServeSettings

    port = int(ServeSettings.model_fields["port"].default)
    if _free(port, socket.SOCK_STREAM):
        return Check("port", "ok", f"TCP {port} on 127.0.0.1 is free")
    return Check("port", "warn", f"TCP {port} on 127.0.0.1 is taken", "choose another with --port")


def udp() -> Check:
    """UDP, which WebRTC needs."""
    if _free(0, socket.SOCK_DGRAM):
        return Check("udp", "ok", "a UDP port can be opened")
    return Check("udp", "warn", "no UDP port can be opened", "WebRTC will not work")


def ice() -> Check:
    """The addresses that WebRTC peers are offered."""
    from aioice.ice import get_host_addresses

    found = get_host_addresses(use_ipv4=True, use_ipv6=True)
    if not found:
        return Check("ice", "warn", "no address but loopback", "WebRTC may reach this machine from itself only")
    return Check("ice", "ok", ", ".join(found))


def memory() -> Check:
    """Free memory."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        free_gb = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1e6
    except (OSError, StopIteration):
        return Check("memory", "ok", "not known on this system")
    status: Status = "ok" if free_gb >= MIN_MEMORY_GB else "warn"
    return Check("memory", status, f"{free_gb:.1f} GB free", "" if status == "ok" else "close other programs")


def disk() -> Check:
    """Free space where reports and compiled networks go."""
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    status: Status = "ok" if free_gb >= MIN_DISK_GB else "warn"
    return Check("disk", status, f"{free_gb:.1f} GB free here", "" if status == "ok" else "make room")


def _free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
