from __future__ import annotations

import subprocess
import sys

import gymnasium
import pytest

import coterie_envs
from coterie.plugins import EnvPlugin
from coterie_envs import _plugin


def records() -> dict[str, EnvPlugin]:
    return {record.name: record for record in _plugin.coterie_envs()}


ADAPTERS = {
    "brax": "BraxAdapter",
    "envpool": "EnvPoolAdapter",
    "gymnasium": "GymnasiumAdapter",
    "isaaclab": "IsaacLabAdapter",
    "maniskill": "ManiSkillAdapter",
    "pettingzoo": "PettingZooAdapter",
    "playground": "PlaygroundAdapter",
    "torch": "TorchAdapter",
    "vmas": "VmasAdapter",
}


def test_every_kind_is_offered_and_loads_without_its_simulator():
    assert list(records()) == list(ADAPTERS)
    for kind, adapter in ADAPTERS.items():
        assert records()[kind].loader() is getattr(coterie_envs, adapter)


def test_listing_imports_neither_torch_nor_a_simulator():
    code = (
        "import sys; from coterie_envs import _plugin; "
        "[record.recognises(3) for record in _plugin.coterie_envs()]; "
        "heavy = ('torch', 'gymnasium', 'envpool', 'jax', 'pettingzoo', 'vmas'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: gymnasium.make("CartPole-v1"), True),
        (lambda: gymnasium.make_vec("CartPole-v1", 2), True),
        (lambda: gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync"), True),
        (lambda: coterie_envs.CartPole(2), False),
        (lambda: object(), False),
    ],
)
def test_gymnasium_objects_are_recognised(make, expected):
    assert records()["gymnasium"].recognises(make()) is expected
    assert records()["torch"].recognises(make()) is False


def test_a_user_class_is_recognised(counter):
    assert records()["gymnasium"].recognises(counter())


def test_public_names_are_sorted_and_there():
    assert coterie_envs.__all__ == sorted(coterie_envs.__all__)
    for name in coterie_envs.__all__:
        assert getattr(coterie_envs, name).__name__ == name
    assert set(coterie_envs.__all__) <= set(dir(coterie_envs))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = coterie_envs.Nothing
