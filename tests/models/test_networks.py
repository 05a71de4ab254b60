"""Networks: shapes, ranges, batched equals one by one, padding does not leak."""

import numpy as np
import pytest
import torch

from unmask.models.mri import LightGenerator, MriNet
from unmask.models.mri_published import PatchDiscriminator, PublishedGenerator
from unmask.models.preprocess import WINDOW_STEPS, normalise, temporal_input
from unmask.models.spatial import SpatialNet
from unmask.models.temporal import FEATURE_COUNT, TemporalNet


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@torch.inference_mode()
def test_spatial_batched_equals_one_by_one() -> None:
    net, images = SpatialNet().eval(), torch.randn(3, 3, 256, 256)
    logits, embeddings = net(images)

    assert logits.shape == (3,)
    assert embeddings.shape == (3, 1280)
    assert torch.cat([net(i[None])[0] for i in images]) == pytest.approx(logits, abs=1e-4)


@torch.inference_mode()
def test_maps_are_probabilities() -> None:
    logits, maps = MriNet().eval()(torch.randn(2, 3, 256, 256))

    assert logits.shape == (2,)
    assert maps.shape == (2, 64, 64)
    assert 0 <= maps.min() <= maps.max() <= 1


@torch.inference_mode()
@pytest.mark.parametrize("corner", [0, 1])
def test_the_map_covers_the_whole_crop(corner: int) -> None:
    """What differs in a corner of the crop differs most in that corner of the map."""
    net = MriNet().eval()
    changed = torch.zeros(1, 3, 256, 256)
    near = slice(224, 256) if corner else slice(0, 32)
    changed[:, :, near, near] = 2 * torch.randn(3, 32, 32)
    apart = (net.generator(changed) - net.generator(torch.zeros_like(changed))).abs()[0, 0]

    row, column = divmod(int(apart.argmax()), apart.shape[1])
    low, high = (54, 64) if corner else (0, 10)
    assert low <= row < high and low <= column < high


def test_generator_starts_from_a_spatial_backbone() -> None:
    spatial, generator = SpatialNet(), LightGenerator()
    generator.load_encoder(dict(spatial.backbone.state_dict()))

    drawn, judged = generator.state_dict(), spatial.backbone.state_dict()
    assert torch.equal(drawn["blocks.10._project_conv.weight"], judged["_blocks.10._project_conv.weight"])


def test_a_foreign_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match="EfficientNet"):
        LightGenerator().load_encoder({"layer.weight": torch.zeros(1)})


@torch.inference_mode()
def test_published_networks_have_their_published_shapes_and_sizes() -> None:
    generator, discriminator = PublishedGenerator().eval(), PatchDiscriminator().eval()
    images = torch.rand(1, 3, 256, 256) * 2 - 1
    maps = generator(images)

    assert maps.shape == (1, 3, 256, 256)
    assert discriminator(maps, images).shape == (1, 1, 16, 16)
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(54.4e6, rel=0.01)
    assert sum(p.numel() for p in discriminator.parameters()) == pytest.approx(2.77e6, rel=0.01)


@torch.inference_mode()
def test_what_stands_in_masked_steps_does_not_matter() -> None:
    net = TemporalNet().eval()
    features = torch.randn(2, WINDOW_STEPS, FEATURE_COUNT)
    mask = torch.ones(2, WINDOW_STEPS)
    mask[:, :10] = 0
    garbage = features.clone()
    garbage[:, :10] = 1e3

    assert net(features, mask) == pytest.approx(net(garbage, mask), abs=1e-5)


def test_imagenets_mean_colour_becomes_zero() -> None:
    crops = np.full((1, 256, 256, 3), (124, 116, 104), np.uint8)
    inputs = normalise(crops)

    assert inputs.shape == (1, 3, 256, 256)
    assert np.abs(inputs).max() < 0.02


def test_normalise_of_nothing_is_empty() -> None:
    assert normalise(np.empty((0, 256, 256, 3), np.uint8)).shape == (0, 3, 256, 256)


def test_temporal_input_of_one_frame_masks_the_past() -> None:
    features, mask = temporal_input(np.array([5.0]), np.ones((1, 4), np.float32))

    assert features.shape == (WINDOW_STEPS, 4)
    assert mask.tolist() == [0.0] * (WINDOW_STEPS - 1) + [1.0]
