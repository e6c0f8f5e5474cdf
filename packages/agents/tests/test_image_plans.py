"""Which observations are images, where their channels are, and which layers they get."""

import numpy as np
import pytest
from gymnasium import spaces

from coterie import ConfigError, structure
from coterie_agents import DQN, PPO, CnnCfg
from coterie_agents._vision.plan import NATURE, SMALL, looks_like_image, plan_image, smallest_side


def byte_space(*shape):
    return spaces.Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((84, 84, 4), False),
        ((4, 84, 84), True),
        ((210, 160, 3), False),
        ((3, 210, 160), True),
        ((7, 7, 20), False),
        ((20, 7, 7), True),
        ((64, 64, 64), False),
        ((6, 10, 6), False),
    ],
)
def test_channels_are_found(shape, first):
    plan = plan_image(byte_space(*shape), CnnCfg())
    assert plan.channels_first is first
    assert plan.channels == (shape[0] if first else shape[2])
    assert plan_image(byte_space(4, *shape), CnnCfg()).channels == 4 * plan.channels


def test_the_layout_can_be_said():
    plan = plan_image(byte_space(8, 8, 12), CnnCfg(layout="channels_first"))
    assert (plan.channels, plan.height, plan.width) == (8, 8, 12)
    plan = plan_image(byte_space(12, 8, 8), CnnCfg(layout="channels_last"))
    assert (plan.channels, plan.height, plan.width) == (8, 12, 8)


@pytest.mark.parametrize(
    ("side", "layers", "features"), [(36, NATURE, 512), (35, SMALL, 128), (5, SMALL, 128)]
)
def test_layers_follow_the_size(side, layers, features):
    plan = plan_image(byte_space(side, side, 3), CnnCfg())
    assert (plan.layers, plan.features) == (layers, features)
    assert plan_image(byte_space(side, side, 3), CnnCfg(features=0)).outputs == plan.flat


def test_the_smallest_side_is_exact():
    for layers in (NATURE, SMALL, ((4, 3, 2), (4, 2, 3))):
        side = smallest_side(layers)
        channels, kernels, strides = zip(*layers, strict=True)
        cfg = CnnCfg(channels=channels, kernels=kernels, strides=strides)
        assert plan_image(byte_space(side, side, 1), cfg).sides[-1] == (1, 1)
        with pytest.raises(ConfigError, match=f"at least {side} x {side}"):
            plan_image(byte_space(side - 1, side, 1), cfg)


@pytest.mark.parametrize(
    ("space", "auto", "everything"),
    [
        (byte_space(8, 8, 3), True, True),
        (spaces.Box(0, 1, (8, 8, 3), np.bool_), True, True),
        (spaces.Box(0, 1, (8, 8, 3), np.float32), False, True),
        (byte_space(8, 8), False, False),
        (byte_space(128), False, False),
        (spaces.MultiBinary((8, 8, 3)), False, False),
    ],
)
def test_what_is_an_image(space, auto, everything):
    assert looks_like_image(space) is auto
    assert looks_like_image(space, CnnCfg(images="all")) is everything
    assert not looks_like_image(space, CnnCfg(images="none"))


def test_tiny_images_are_flattened_unless_they_must_not_be():
    assert plan_image(byte_space(4, 4, 3), CnnCfg()) is None
    with pytest.raises(ConfigError, match="at least 5 x 5"):
        plan_image(byte_space(4, 4, 3), CnnCfg(architecture="small"))
    with pytest.raises(ConfigError, match="at least 5 x 5"):
        plan_image(byte_space(4, 4, 3), CnnCfg(images="all"))


def test_a_message_names_the_image_and_the_ways_out():
    space = spaces.Dict({"eyes": spaces.Dict({"left": byte_space(20, 20, 3)})})
    cfg = {"model": {"cnn": {"architecture": "nature"}}}
    with pytest.raises(ConfigError) as caught:
        PPO(observation_space=space, action_space=spaces.Discrete(2), cfg=cfg)
    message = str(caught.value)
    for part in ("'eyes.left'", "(20, 20, 3)", "36 x 36", "'small'", "channels_first", "'none'"):
        assert part in message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": [4]}, "channels and kernels"),
        ({"kernels": [4], "strides": [1]}, "channels and kernels"),
        ({"channels": [4, 4], "kernels": [3]}, "one number for each layer"),
        ({"channels": [], "kernels": []}, "at least one"),
        ({"channels": [4], "kernels": [3], "architecture": "small"}, "one of them"),
        ({"channels": [0], "kernels": [3]}, "at least 1"),
        ({"layout": "hwc"}, "channels_last"),
    ],
)
def test_settings_that_do_not_belong_together(settings, message):
    with pytest.raises(ConfigError, match=message):
        structure(CnnCfg, settings)


@pytest.mark.parametrize("kind", [PPO, DQN])
def test_images_can_be_flattened_as_before(kind):
    agent = kind(
        observation_space=byte_space(8, 8, 3),
        action_space=spaces.Discrete(2),
        cfg={"model": {"cnn": {"images": "none"}}},
    )
    weights = next(iter(agent.models.values())).state_dict()
    assert weights["weight_0"].shape[1] == 8 * 8 * 3


def test_what_can_not_share_an_encoder():
    cfg = {"model": {"share_encoder": True}}
    actions = spaces.Discrete(2)
    with pytest.raises(ConfigError, match="no image"):
        PPO(observation_space=spaces.Box(-1, 1, (3,)), action_space=actions, cfg=cfg)
    image = byte_space(8, 8, 3)
    with pytest.raises(ConfigError, match="state_space"):
        PPO(observation_space=image, state_space=image, action_space=actions, cfg=cfg)
