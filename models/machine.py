"""What this machine can compute with: processor, accelerators and the versions that decide results."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VECTOR_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16")
PACKAGES = ("torch", "torchvision", "openvino", "numpy", "av", "aiortc", "opencv-python")


def cpu_model() -> str:
    """The processor's name, "unknown" where the system does not say."""
    return _cpuinfo("model name") or platform.processor() or "unknown"


def vector_flags() -> tuple[str, ...]:
    """The vector extensions that matter here and that the processor has."""
    present = set((_cpuinfo("flags") or _cpuinfo("Features") or "").split())
    return tuple(flag for flag in VECTOR_FLAGS if flag in present)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cuda_devices() -> tuple[str, ...]:
    """Names of the usable CUDA devices."""
    import torch

    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def openvino_devices() -> tuple[str, ...]:
    """Names of the devices that OpenVINO sees."""
    from unmask.models.openvino_core import shared_core

    return tuple(shared_core().available_devices)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide speed and results; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")
