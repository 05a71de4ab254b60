"""The GPU's runtime of the per-frame branches: run on CPU tensors here, on a GPU where there is one."""

import logging
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.build import portrait
from unmask.models import cuda_branch, cuda_runtime
from unmask.models.cuda_branch import Branch, Parts
from unmask.models.cuda_runtime import CudaScorer, wait_for
from unmask.models.errors import DeviceError
from unmask.models.mri import LightGenerator, MriNet
from unmask.models.per_frame import PerFrameNet
from unmask.models.preprocess import normalise
from unmask.models.scoring import CropScores
from unmask.models.spatial import SpatialNet
from unmask.models.store import SHIPPED_DIR, load_into
from unmask.models.torch_scorer import TorchScorer

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
Crops = NDArray[np.uint8]


def crops(count: int) -> Crops:
    """Parts of the portrait, some upside down."""
    cut = [portrait()[16 * i : 16 * i + 256, 120:376] for i in range(count)]
    return np.stack([part[:: 1 - 2 * (i % 2)] for i, part in enumerate(cut)])


@pytest.fixture(scope="module", params=["shared", "apart"])
def net(request: pytest.FixtureRequest) -> PerFrameNet:
    """The shipped networks, and the same with early blocks of their own for each branch."""
    spatial = cast(SpatialNet, load_into(SpatialNet(), "spatial", SHIPPED_DIR))
    mri = cast(MriNet, load_into(MriNet(), "mri", SHIPPED_DIR))
    assert isinstance(mri.generator, LightGenerator)
    if request.param == "apart":
        with torch.no_grad():
            cast(torch.Tensor, mri.generator.stem[1].bias).add_(0.001)
    else:
        mri.generator.load_encoder(spatial.backbone.state_dict())
    made = PerFrameNet(spatial, mri).eval()
    assert made.shared == (request.param == "shared")
    return made


@pytest.fixture(scope="module")
def scorer(net: PerFrameNet) -> CudaScorer:
    """The runtime on CPU tensors."""
    return CudaScorer(net, device="cpu")


def same(ours: CropScores, theirs: CropScores, most: float) -> bool:
    """Whether logits and maps are that close."""
    pairs = [(ours.spatial, theirs.spatial), (ours.mri, theirs.mri), (ours.maps, theirs.maps)]
    return all(a is not None and b is not None and float(np.abs(a - b).max()) <= most for a, b in pairs)


@pytest.mark.parametrize("count", [0, 17])
def test_a_batch_of_no_or_too_many_crops_is_refused(scorer: CudaScorer, count: int) -> None:
    """Before anything is queued."""
    with pytest.raises(ValueError, match="1 to 16 crops"):
        scorer.submit(np.zeros((count, 256, 256, 3), np.uint8))


@pytest.mark.parametrize("count", [1, 3])
def test_the_scores_are_those_of_plain_pytorch(net: PerFrameNet, scorer: CudaScorer, count: int) -> None:
    """With shared early blocks and with separate ones."""
    found = scorer.submit(crops(count)).result()

    assert same(found, TorchScorer(net).submit(crops(count)).result(), 1e-4)
    assert found.embeddings is not None and found.embeddings.shape == (count, 1280)


def test_without_the_mri_branch_its_answers_are_absent(scorer: CudaScorer) -> None:
    """And the spatial ones are the same."""
    whole, part = scorer.submit(crops(1)).result(), scorer.submit(crops(1), with_mri=False).result()

    assert part.mri is None and part.maps is None
    assert part.spatial == pytest.approx(whole.spatial, abs=1e-4)


def test_two_batches_in_flight_keep_their_own_answers(scorer: CudaScorer) -> None:
    """Whichever is collected first, and also when its memory is used again."""
    both = crops(2)
    one, other = scorer.submit(both[:1]), scorer.submit(both[1:])
    late, early = other.result(), one.result()
    again = scorer.submit(both[1:]).result()

    assert same(again, late, 1e-6)
    assert not same(early, late, 1e-3)
    assert one.result() is early


def test_a_third_batch_that_nobody_makes_room_for_fails(scorer: CudaScorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for batches in flight is bounded; collecting one makes room."""
    monkeypatch.setattr(cuda_runtime, "RESULT_TIMEOUT_S", 0.05)
    batches = [scorer.submit(crops(1), with_mri=False) for _ in range(scorer.lanes)]

    with pytest.raises(DeviceError, match="nobody has collected"):
        scorer.submit(crops(1))
    for batch in batches:
        batch.result()

    assert scorer.submit(crops(1), with_mri=False).result().spatial is not None


def test_a_failure_of_the_device_is_told_and_gives_the_memory_back(
    scorer: CudaScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More failures than there are slots."""

    def fails(*_: object) -> None:
        raise RuntimeError("CUDA error: out of memory\nand more lines")

    with monkeypatch.context() as patch:
        patch.setattr(Branch, "launch", fails)
        for _ in range(scorer.lanes + 1):
            with pytest.raises(DeviceError, match="the GPU failed: CUDA error: out of memory$"):
                scorer.submit(crops(1))

    assert scorer.submit(crops(1), with_mri=False).result().spatial is not None


class ScriptedEvent:
    """Has happened at the given question; an exception in place of a number is raised."""

    def __init__(self, at: int | Exception) -> None:
        self.at = at
        self.asked = 0

    def query(self) -> bool:
        self.asked += 1
        if isinstance(self.at, Exception):
            raise self.at
        return self.asked >= self.at


def test_waiting_ends_when_all_events_have_happened() -> None:
    """None at all is the shortest wait."""
    events = (ScriptedEvent(3), ScriptedEvent(1))

    wait_for(())
    wait_for(events)

    assert [event.asked for event in events] == [3, 1]


@pytest.mark.parametrize(
    ("event", "said"),
    [(ScriptedEvent(10**9), "did not finish a batch within 0.01 s"), (ScriptedEvent(RuntimeError("lost")), "lost")],
)
def test_a_device_that_hangs_or_fails_is_an_error(event: ScriptedEvent, said: str) -> None:
    """Never a wait without an end."""
    with pytest.raises(DeviceError, match=said):
        wait_for((event,), timeout_s=0.01)


def test_bytes_are_normalised_as_for_training(net: PerFrameNet) -> None:
    """The same numbers as the one NumPy function."""
    parts = Parts(net, torch.device("cpu"), torch.float32)

    assert np.abs(parts.images(torch.from_numpy(crops(2))).numpy() - normalise(crops(2))).max() < 1e-5


def test_half_precision_is_close_and_leaves_the_given_networks_alone(net: PerFrameNet) -> None:
    """Within 0.01 of every probability."""
    exact = CudaScorer(net, device="cpu").submit(crops(1)).result()
    half = CudaScorer(net, device="cpu", dtype=torch.float16).submit(crops(1)).result()

    for ours, theirs in ((half.spatial, exact.spatial), (half.mri, exact.mri)):
        assert ours is not None and theirs is not None
        assert 0 < np.abs(1 / (1 + np.exp(-ours)) - 1 / (1 + np.exp(-theirs))).max() <= cuda_runtime.PARITY
    assert net.spatial is not None and net.spatial.backbone._fc.weight.dtype == torch.float32


@pytest.mark.parametrize("difference", [0.02, float("inf")])
def test_a_precision_that_changes_the_answers_is_not_used(
    net: PerFrameNet, difference: float, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Float32 is, and it is said."""
    monkeypatch.setattr(cuda_runtime, "_difference", lambda *_: difference)

    parts = cuda_runtime.open_parts(net, torch.device("cpu"), torch.bfloat16)

    assert parts.images(torch.from_numpy(crops(1))).dtype == torch.float32
    assert "float32 is used" in caplog.text


class ScriptedGraph:
    """Does at each replay what was recorded."""

    def __init__(self, work: Any) -> None:
        self.replay = work


def test_a_graph_of_the_next_size_runs_a_batch_and_its_filling_is_cut_off() -> None:
    """Three crops run in the graph of four; more crops than any graph takes run without one."""
    ran: list[int] = []

    def total(taken: Tensor) -> tuple[Tensor, ...]:
        ran.append(len(taken))
        return (taken.float().sum((1, 2, 3)),)

    branch = Branch(total, ("spatial",), None)
    for size in (2, 4):
        taken, answers = torch.zeros((size, 256, 256, 3), dtype=torch.uint8), torch.zeros(size)
        graph = ScriptedGraph(lambda taken=taken, answers=answers: answers.copy_(total(taken)[0]))
        branch._graphs[size] = cuda_branch._Captured(cast(Any, graph), taken, (answers,))
    out: dict[str, Tensor] = {"spatial": torch.full((8,), -1.0)}
    given = torch.ones((8, 256, 256, 3), dtype=torch.uint8)

    branch.launch(given, 3, None, out)
    assert out["spatial"].tolist() == [196608.0] * 3 + [-1.0] * 5
    branch.launch(given, 5, None, out)

    assert ran == [4, 5]


def test_a_branch_waits_for_its_crops_and_records_when_its_answers_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In that order, and on its own stream."""
    order: list[str] = []

    @contextmanager
    def on(stream: object) -> Any:
        order.append("on stream")
        yield
        order.append("off stream")

    stream = SimpleNamespace(wait_event=lambda event: order.append(f"wait for {event}"))
    monkeypatch.setattr(cuda_branch, "on", on)
    monkeypatch.setattr(cuda_branch, "new_event", lambda: SimpleNamespace(record=lambda s: order.append("record")))

    def run(taken: torch.Tensor) -> tuple[torch.Tensor]:
        order.append("run")
        return (taken[:, 0, 0, 0].float(),)

    work = Branch(run, ("spatial",), cast(Any, stream))

    work.launch(torch.zeros((1, 256, 256, 3), dtype=torch.uint8), 1, cast(Any, "upload"), {"spatial": torch.zeros(1)})

    assert order == ["on stream", "wait for upload", "run", "record", "off stream"]


def test_without_graphs_a_branch_runs_eagerly_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A capture that fails half-way leaves no graph behind."""
    work = Branch(lambda taken: (taken[:, 0, 0, 0].float(),), ("spatial",), cast(Any, SimpleNamespace()))

    def captured(self: Branch, size: int, pool: object) -> cuda_branch._Captured:
        if size == 1:
            raise RuntimeError("operation not permitted when stream is capturing")
        return cuda_branch._Captured(cast(Any, None), torch.zeros(size), ())

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(Branch, "_captured", captured)

    with caplog.at_level(logging.WARNING):
        work.capture((1, 2))

    assert work.sizes == ()
    assert caplog.text.count("no CUDA graphs for spatial") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_machine_without_a_gpu_gets_a_clear_error(net: PerFrameNet) -> None:
    """Not a traceback of PyTorch's."""
    with pytest.raises(DeviceError, match="cannot be opened on cuda"):
        CudaScorer(net)


@ON_GPU
@pytest.mark.parametrize("graphs", [True, False])
def test_a_gpu_agrees_with_the_cpu(net: PerFrameNet, graphs: bool) -> None:
    """Within 0.01 of every probability, for every number of crops, two batches at a time."""
    on_gpu, on_cpu = CudaScorer(net, graphs=graphs), TorchScorer(net)
    try:
        for count in range(1, 17, 3):
            batches = [on_gpu.submit(crops(count)), on_gpu.submit(crops(count)[::-1])]
            expected = [on_cpu.submit(crops(count)).result(), on_cpu.submit(crops(count)[::-1]).result()]
            for batch, theirs in zip(batches, expected, strict=True):
                ours = batch.result()
                for a, b in ((ours.spatial, theirs.spatial), (ours.mri, theirs.mri)):
                    assert a is not None and b is not None
                    assert np.abs(1 / (1 + np.exp(-a)) - 1 / (1 + np.exp(-b))).max() <= cuda_runtime.PARITY
    finally:
        on_gpu.close()


@ON_GPU
def test_every_usual_batch_size_has_a_graph_on_a_gpu(net: PerFrameNet) -> None:
    """Of every branch."""
    on_gpu = CudaScorer(net)
    try:
        assert all(branch.sizes == cuda_runtime.GRAPH_SIZES for branch in [*on_gpu._full, *on_gpu._spatial])
    finally:
        on_gpu.close()
