"""Both per-frame branches as one network give what each gives alone."""

import numpy as np
import pytest
import torch

from tests.build import PORTRAIT_LANDMARKS_XY, portrait
from unmask.models.align import align_face
from unmask.models.mri import MriNet
from unmask.models.per_frame import PerFrameNet, same_trunk
from unmask.models.preprocess import normalise
from unmask.models.spatial import SpatialNet


def branches(*, shared: bool) -> tuple[SpatialNet, MriNet]:
    torch.manual_seed(0)
    spatial, mri = SpatialNet().eval(), MriNet().eval()
    if shared:
        mri.generator.load_encoder(spatial.backbone.state_dict())  # type: ignore[operator]
    return spatial, mri


def test_no_branch_is_refused() -> None:
    with pytest.raises(ValueError, match="no branch"):
        PerFrameNet(None, None)


def test_one_changed_weight_makes_another_trunk() -> None:
    spatial, mri = branches(shared=True)
    assert same_trunk(spatial, mri)
    with torch.no_grad():
        spatial.backbone._blocks[7]._project_conv.weight[0, 0] += 1e-4
    assert not same_trunk(spatial, mri)


@pytest.mark.parametrize("shared", [True, False])
def test_answers_are_those_of_the_branches_alone(shared: bool) -> None:
    spatial, mri = branches(shared=shared)
    net = PerFrameNet(spatial, mri).eval()
    crop = align_face(portrait(), PORTRAIT_LANDMARKS_XY)
    crops = np.stack([crop, crop[:, ::-1]])
    images = torch.from_numpy(normalise(crops))
    with torch.inference_mode():
        together = net(torch.from_numpy(crops))
        alone = (*spatial(images), *mri(images))

    assert net.shared is shared
    assert net.outputs == ("spatial", "embeddings", "mri", "maps")
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_branch_may_be_missing() -> None:
    spatial, mri = branches(shared=False)
    crops = torch.zeros(1, 256, 256, 3, dtype=torch.uint8)
    with torch.inference_mode():
        assert len(PerFrameNet(spatial, None).eval()(crops)) == 2
        assert len(PerFrameNet(None, mri).eval()(crops)) == 2
