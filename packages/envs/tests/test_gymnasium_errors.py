from __future__ import annotations

import sys

import gymnasium
import pytest

from coterie import ConfigError
from coterie_envs import GymnasiumAdapter
from coterie_envs._gymnasium.names import find_spec, suggest


def refused(env_id: str, **settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        GymnasiumAdapter().make(env_id, **settings)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("CartPole-v9", "CartPole-v1"),
        ("cartpole", "CartPole-v1"),
        ("Cartpol-v1", "CartPole-v1"),
        ("Pendulm", "Pendulum-v1"),
        ("classic/Pendulum-v1", "Pendulum-v1"),
    ],
)
def test_an_unknown_id_comes_with_the_nearest(wrong, meant):
    assert f"no environment '{wrong}'; did you mean '{meant}'?" in refused(wrong)


def test_suggestions_prefer_the_newest_version():
    known = ["A/Pong-v4", "A/Pong-v5", "A/Pong-v10", "Cart-v0"]
    assert suggest("A/Pong-v7", known) == "A/Pong-v10"
    assert suggest("Pong-v4", known) == "A/Pong-v10"
    assert suggest("Zzzzz", known) is None


def test_without_a_version_the_newest_is_made():
    assert find_spec("CartPole").id == "CartPole-v1"


def test_a_module_can_register_ids(tmp_path, monkeypatch):
    (tmp_path / "coterie_my_envs.py").write_text(
        "import gymnasium\n"
        "gymnasium.register('CoterieMine-v0', "
        "'gymnasium.envs.classic_control.pendulum:PendulumEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        env = GymnasiumAdapter().make("coterie_my_envs:CoterieMine-v0")
        assert env.name == "gymnasium:CoterieMine-v0"
    finally:
        gymnasium.registry.pop("CoterieMine-v0", None)
    assert "can't be imported" in refused("coterie_no_such_module:X-v0")
    assert "'gymnasium:MODULE:nowhere/X-v0'" in refused("nowhere/X-v0")
    assert "pprint_registry" in refused("Qqqqqqqq-v0")


@pytest.mark.parametrize(
    ("module", "env_id", "extra"),
    [
        ("mujoco", "HalfCheetah-v5", "mujoco"),
        ("Box2D", "LunarLander-v3", "box2d"),
        ("ale_py", "ALE/CoterieNoGame-v5", "atari"),
        ("jax", "phys2d/CartPole-v1", "jax"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(monkeypatch, module, env_id, extra):
    monkeypatch.setitem(sys.modules, module, None)
    for name in list(sys.modules):
        if name.startswith(("gymnasium.envs.mujoco", "gymnasium.envs.box2d")):
            monkeypatch.delitem(sys.modules, name)
    message = refused(env_id)
    assert f'pip install "coterie-envs[{extra}]"' in message


@pytest.mark.parametrize("count", [0, -1, True, 2.0, "3", None])
def test_bad_counts(count):
    assert refused("CartPole-v1", num_envs=count).startswith(f"num_envs = {count!r}: expected")


def test_bad_vectorizations():
    message = refused("CartPole-v1", vectorization="asynk")
    assert "expected one of 'async', 'sync', 'vector_entry_point'; did you mean 'async'?" in message
    message = refused("Pendulum-v1", vectorization="vector_entry_point")
    assert "gymnasium:Pendulum-v1 has no vector_entry_point" in message
    assert "vectorization='sync'" in message


def test_unknown_settings_come_with_those_that_exist():
    message = refused("CartPole-v1", sutton_barto_rewards=True)
    assert "has no setting 'sutton_barto_rewards'; did you mean 'sutton_barto_reward'?" in message
    assert "did you mean 'vectorization'?" in refused("CartPole-v1", vectorization_mode="sync")
    message = refused("Pendulum-v1", gravity=3)
    assert "(it has: autoreset_mode, disable_env_checker, g, max_episode_steps" in message


def test_settings_arrive():
    env = GymnasiumAdapter().make("Pendulum-v1", num_envs=2, g=9.81)
    assert env.env.get_attr("g") == (9.81, 9.81)
    env = GymnasiumAdapter().make("CartPole-v1", sutton_barto_reward=True)
    env.reset(seed=0)
    assert env.env.unwrapped._sutton_barto_reward is True


def test_wrong_values_are_explained():
    assert "KeyError: '5x5'" in refused("FrozenLake-v1", map_name="5x5")
    assert "unexpected keyword argument" in refused("Pendulum-v1", vector_kwargs={"cpy": 1})
    message = refused("CartPole-v1", vector_kwargs={"copy": False})
    assert "vector_kwargs needs vectorization='sync' or 'async'" in message


def test_a_fixed_autoreset_mode_is_not_silently_ignored():
    message = refused("CartPole-v1", autoreset_mode="same_step")
    assert "has NEXT_STEP; use vectorization='sync'" in message
    assert GymnasiumAdapter().make("CartPole-v1", autoreset_mode="next_step").num_envs == 1
    message = refused("Pendulum-v1", autoreset_mode="samestp")
    assert "did you mean 'same_step'?" in message


def test_bad_devices():
    assert "device = 'cdua' can't be used here" in refused("CartPole-v1", device="cdua")
    assert "device = 'meta'" in refused("CartPole-v1", device="meta")


def test_errors_of_the_environments_own_code_pass(counter):
    class BrokenError(Exception):
        pass

    def broken() -> None:
        raise BrokenError

    gymnasium.register("CoterieBroken-v0", broken)
    try:
        with pytest.raises(BrokenError):
            GymnasiumAdapter().make("CoterieBroken-v0")
    finally:
        del gymnasium.registry["CoterieBroken-v0"]


def test_ids_are_listed():
    ids = GymnasiumAdapter().ids()
    assert ids == sorted(ids)
    assert "CartPole-v1" in ids
