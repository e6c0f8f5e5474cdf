"""Stacked convolutions against torch's own, and how images and vectors come together."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn

from coterie_agents import CnnCfg
from coterie_agents._models.inputs import NetworkInput
from coterie_agents._vision import convolve as convolutions
from coterie_agents._vision.network import StackedEncoder, StackedVision
from coterie_agents._vision.plan import plan_image

OWN = CnnCfg(channels=(4, 6), kernels=(3, 2), strides=(2, 1), features=7)
SHAPES = {
    "channels last": ((9, 9, 3), 3),
    "channels first": ((2, 9, 9), 2),
    "not square": ((11, 8, 1), 1),
    "frames": ((2, 9, 9, 3), 6),
}


def generators(population):
    return [torch.Generator().manual_seed(10 + i) for i in range(population)]


def image_space(shape, dtype=np.uint8):
    return spaces.Box(0, 255 if dtype == np.uint8 else 1, shape, dtype)


def draw_images(population, rows, shape):
    generator = torch.Generator().manual_seed(3)
    size = (population, rows, *shape)
    return torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)


def as_torch_wants(images, shape):
    """One member's images ``[B, *shape]`` as ``[B, C, H, W]`` from 0 to 1, said another way."""
    numbers = images.numpy().astype(np.float64) / 255
    if len(shape) == 4:
        numbers = np.concatenate([numbers[:, i] for i in range(shape[0])], axis=-1)
        shape = numbers.shape[1:]
    if shape[0] >= 5:
        numbers = np.ascontiguousarray(np.einsum("bhwc->bchw", numbers))
    return torch.from_numpy(numbers)


def plain(encoder, plan, member):
    """The same network of one member from torch's layers."""
    layers, before = [], plan.channels
    own = {name: p[member].detach().clone() for name, p in encoder.named_parameters()}
    for i, (after, kernel, stride) in enumerate(plan.layers):
        layer = nn.Conv2d(before, after, kernel, stride, dtype=torch.float64)
        layer.weight.data, layer.bias.data = own[f"image_0_weight_{i}"], own[f"image_0_bias_{i}"]
        layers += [layer, nn.ReLU()]
        before = after
    layers.append(nn.Flatten())
    if plan.features:
        linear = nn.Linear(plan.flat, plan.features, dtype=torch.float64)
        linear.weight.data = own["image_0_weight_features"].t().clone()
        linear.bias.data = own["image_0_bias_features"][0]
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("way", ["grouped", "in turn"])
@pytest.mark.parametrize("population", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_torch_per_member(monkeypatch, shape, population, way):
    monkeypatch.setattr(convolutions, "_GROUPED_WORK", 0 if way == "in turn" else 10**12)
    monkeypatch.setattr(convolutions, "_CHANNELS_LAST_WORK", 0 if way == "in turn" else 10**12)
    sizes, channels = SHAPES[shape]
    plan = plan_image(image_space(sizes), OWN)
    assert plan.channels == channels
    encoder = StackedEncoder([plan], 0, generators(population), dtype=torch.float64)
    images = draw_images(population, 5, sizes)
    nothing = torch.zeros(population, 5, 0, dtype=torch.float64)
    found = encoder((nothing, images))
    weights = torch.randn(found.shape, generator=generators(1)[0], dtype=torch.float64)
    gradients = torch.autograd.grad((found * weights).sum(), list(encoder.parameters()))
    for member in range(population):
        network = plain(encoder, plan, member)
        wanted = network(as_torch_wants(images[member], sizes))
        torch.testing.assert_close(found[member], wanted, rtol=1e-12, atol=1e-12)
        own = torch.autograd.grad((wanted * weights[member]).sum(), list(network.parameters()))
        for mine, other in zip(gradients, own, strict=True):
            other = other.t() if mine[member].shape != other.shape and other.dim() == 2 else other
            torch.testing.assert_close(
                mine[member].reshape(other.shape), other, rtol=1e-10, atol=1e-12
            )


def test_the_nature_network_is_that_of_the_paper():
    plan = plan_image(image_space((84, 84, 4)), CnnCfg())
    assert plan.sides == ((84, 84), (20, 20), (9, 9), (7, 7))
    network = StackedVision([plan], 0, (6,), "relu", generators(1), 1.0)
    # Counted from the paper's table: weights and biases of each layer.
    wanted = 4 * 64 * 32 + 32 + 32 * 16 * 64 + 64 + 64 * 9 * 64 + 64
    wanted += 3136 * 512 + 512 + 512 * 6 + 6
    assert sum(p.numel() for p in network.parameters()) == wanted
    images = draw_images(1, 2, (84, 84, 4))
    assert network((torch.zeros(1, 2, 0), images)).shape == (1, 2, 6)


def test_kernels_start_orthogonal_and_do_not_depend_on_the_others():
    plan = plan_image(image_space((9, 9, 3)), OWN)
    stack = StackedEncoder([plan], 0, generators(3))
    alone = StackedEncoder([plan], 0, generators(3)[1:2])
    for (name, one), other in zip(stack.named_parameters(), alone.parameters(), strict=True):
        assert torch.equal(one[1], other[0]), name
        if "weight" in name:
            # Rows (kernels) or columns, whichever are fewer, are orthogonal, of length sqrt 2.
            rows = one[1].flatten(1)
            gram = rows @ rows.t() if rows.shape[0] <= rows.shape[1] else rows.t() @ rows
            torch.testing.assert_close(gram, 2 * torch.eye(len(gram)), rtol=0, atol=1e-5)
        else:
            assert not one.any()


def test_many_rows_go_through_in_parts(monkeypatch):
    plan = plan_image(image_space((9, 9, 3)), OWN)
    encoder = StackedEncoder([plan], 2, generators(2), dtype=torch.float64)
    inputs = torch.rand(2, 50, 2, dtype=torch.float64), draw_images(2, 50, (9, 9, 3))
    with torch.no_grad():
        whole = encoder(inputs)
        monkeypatch.setattr(convolutions, "_CHUNK_BYTES", 1)
        sizes = []
        run = encoder._encode
        monkeypatch.setattr(encoder, "_encode", lambda x: (sizes.append(x[1].shape[1]), run(x))[1])
        parts = encoder(inputs)
    assert sizes == [16, 16, 16, 2]
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)


def test_nested_observations_part_into_features_and_images():
    space = spaces.Dict(
        {
            "camera": image_space((9, 9, 3)),
            "body": spaces.Tuple(
                (spaces.Box(-1, 1, (2,), np.float32), spaces.Discrete(3, start=5))
            ),
            "depth": image_space((6, 7, 1)),
            "table": spaces.Box(-1, 1, (2, 2), np.float32),
        }
    )
    place = NetworkInput(
        space,
        2,
        flat=True,
        normalize=True,
        dtype=torch.float32,
        device=torch.device("cpu"),
        cnn=CnnCfg(),
    )
    assert [plan.label for plan in place.images] == ["camera", "depth"]
    assert place.features == 2 + 3 + 4
    rows = 6
    tree = {
        "camera": draw_images(1, rows, (9, 9, 3))[0],
        "body": (torch.rand(rows, 2), torch.tensor([5, 6, 7, 5, 6, 7])),
        "depth": draw_images(1, rows, (6, 7, 1))[0],
        "table": torch.rand(rows, 2, 2),
    }
    features, camera, depth = place.from_step(tree)
    assert features.dtype == torch.float32
    hot = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1]] * 2, dtype=torch.float32)
    order = list(space.spaces)  # gymnasium sorts the names of a Dict made so
    vectors = {
        "body": torch.cat([tree["body"][0], hot], -1),
        "table": tree["table"].reshape(rows, 4),
    }
    wanted = torch.cat([vectors[name] for name in order if name in vectors], -1)
    torch.testing.assert_close(features.reshape(rows, -1), wanted)
    assert camera.dtype == depth.dtype == torch.uint8
    assert torch.equal(camera.reshape(rows, 9, 9, 3), tree["camera"])
    # Statistics are of the features alone.
    assert place.scaler.mean.shape == (2, 9)
    leaves = [leaf.reshape(2, 3, *leaf.shape[1:]) for leaf in place.leaves_of(tree)]
    place.take_statistics(place.arrange(leaves), None)
    scaled, camera, _ = place.from_step(tree)
    assert scaled.mean(1).abs().max() < 1e-5
    assert torch.equal(camera.reshape(rows, 9, 9, 3), tree["camera"])


def test_other_images_than_bytes_are_not_scaled():
    plan = plan_image(image_space((9, 9, 1), np.float32), CnnCfg(images="all"))
    image = torch.rand(1, 2, 9, 9, 1)
    seen = convolutions.planes(image, plan, torch.float32)
    assert torch.equal(seen.squeeze(2), image.squeeze(-1))
    bits = plan_image(spaces.Box(0, 1, (9, 9, 1), np.bool_), CnnCfg())
    ones = torch.ones(1, 2, 9, 9, 1, dtype=torch.bool)
    assert torch.equal(convolutions.planes(ones, bits, torch.float32), torch.ones(1, 2, 1, 9, 9))
