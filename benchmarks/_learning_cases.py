"""What is to be learned, by which algorithm, with which settings: the cases of ``learn.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

EVALUATION = {
    "CartPole-v1": (16, 500),
    "Acrobot-v1": (16, 500),
    "Pendulum-v1": (16, 200),
    "CartPole-v1-without-velocities": (16, 500),
    "Pendulum-v1-without-velocities": (16, 200),
    "HalfCheetah-v5": (16, 1000),
    "HalfCheetah-v5-beginning": (10, 1000),
    "balance": (64, 100),
    "simple_spread": (64, 25),
}
"""Instances of each seed in the evaluation, one episode in each, and the longest that it may be."""


@frozen(kw_only=True)
class Case:
    """One algorithm on one task.

    Attributes:
        task: Name of the task.
        agent: Name of the algorithm.
        env: Name that the environment is made by.
        num_envs: Instances of each seed.
        timesteps: Steps of each instance.
        bar: Interquartile mean return that should be reached; ``None``: there is no bar, as
            for controls, which others on the same task are compared with.
        settings: Settings of the agents.
        env_settings: Settings of the environment.
        long: Whether it takes hours, so that it runs only where it is asked for.
        seeds: Number of seeds, which are 0, 1, ….
    """

    task: str
    agent: str
    env: str
    num_envs: int
    timesteps: int
    bar: float | None
    settings: Mapping[str, Any]
    env_settings: Mapping[str, Any] = field(factory=dict)
    long: bool = False
    seeds: int = 5

    @property
    def name(self) -> str:
        """What the case is called on the command line."""
        return f"{self.task}/{self.agent}"


PPO_SMALL = {
    "rollouts": 64,
    "learning_epochs": 8,
    "discount_factor": 0.98,
    "gae_lambda": 0.9,
    "learning_rate": 1e-3,
    "learning_rate_scheduler": "linear",
    "kl_threshold": 0.02,
}
DQN_ACROBOT = {
    "memory_size": 50_000,
    "batch_size": 64,
    "learning_starts": 125,
    "learning_rate": 1e-3,
    "learning_rate_scheduler": "linear",
    "n_step": 5,
    "update_interval": 4,
    "gradient_steps": 8,
    "target_update_interval": 50,
    "exploration_timesteps": 1_500,
    "final_epsilon": 0.1,
    "model": {"hidden_sizes": [64, 64]},
}
A2C_SMALL = {"learning_rate": 2e-3, "learning_rate_scheduler": "linear", "gae_lambda": 0.95}
DQN_SMALL = {
    "memory_size": 100_000,
    "batch_size": 64,
    "learning_starts": 125,
    "learning_rate": 2.3e-3,
    "learning_rate_scheduler": "linear",
    "update_interval": 32,
    "gradient_steps": 128,
    "target_update_interval": 128,
    "exploration_timesteps": 1_000,
    "final_epsilon": 0.04,
    "model": {"hidden_sizes": [256, 256]},
}
PPO_SWING = {
    "rollouts": 256,
    "learning_epochs": 10,
    "mini_batches": 64,
    "discount_factor": 0.97,
    "learning_rate": 5e-4,
}
REPLAY = {
    "critic_learning_rate": 1e-3,
    "discount_factor": 0.98,
    "batch_size": 128,
    "gradient_steps": 2,
    "random_timesteps": 250,
    "learning_starts": 250,
    "model": {"hidden_sizes": [64, 64]},
}
SAC = {**REPLAY, "actor_learning_rate": 1e-3, "temperature_learning_rate": 1e-3}
SAC_RNN = {
    "actor_learning_rate": 1e-3,
    "critic_learning_rate": 1e-3,
    "temperature_learning_rate": 1e-3,
    "discount_factor": 0.98,
    "batch_size": 16,
    "sequence_length": 16,
    "burn_in": 8,
    "random_timesteps": 250,
    "learning_starts": 250,
}
TD3 = {**REPLAY, "actor_learning_rate": 1e-3}
DDPG = {**REPLAY, "actor_learning_rate": 3e-4, "polyak": 0.01, "exploration_noise": 0.2}


def balance(agent: str, num_envs: int, timesteps: int, settings: Mapping[str, Any]) -> Case:
    """Describe a case on CartPole."""
    return Case(
        task="CartPole-v1",
        agent=agent,
        env="torch:CartPole-v1",
        num_envs=num_envs,
        timesteps=timesteps,
        bar=475.0,
        settings=settings,
    )


def acrobot(agent: str, num_envs: int, timesteps: int, settings: Mapping[str, Any]) -> Case:
    """Describe a case on Acrobot."""
    return Case(
        task="Acrobot-v1",
        agent=agent,
        env="gymnasium:Acrobot-v1",
        num_envs=num_envs,
        timesteps=timesteps,
        bar=-100.0,
        settings=settings,
    )


def swing(agent: str, num_envs: int, timesteps: int, settings: Mapping[str, Any]) -> Case:
    """Describe a case on the pendulum."""
    return Case(
        task="Pendulum-v1",
        agent=agent,
        env="torch:Pendulum-v1",
        num_envs=num_envs,
        timesteps=timesteps,
        bar=-200.0,
        settings=settings,
    )


def remember(case: Case, agent: str, bar: float | None, **changes: Any) -> Case:
    """Describe a case like another one, where observations hold no velocities."""
    return evolve(
        case,
        task=f"{case.task}-without-velocities",
        agent=agent,
        bar=bar,
        env_settings={"velocities": False},
        **changes,
    )


PPO_CHEETAH = {
    "rollouts": 2048,
    "learning_epochs": 10,
    "mini_batches": 32,
    "learning_rate": 3e-4,
    "learning_rate_scheduler": "linear",
    "discount_factor": 0.99,
    "gae_lambda": 0.95,
    "ratio_clip": 0.2,
    "value_clip": 0.2,
    "value_loss_scale": 0.25,
    "grad_norm_clip": 0.5,
    "observation_normalization": True,
    "time_limit_bootstrap": False,
    "model": {"hidden_sizes": [64, 64]},
}
SAC_CHEETAH = {
    "memory_size": 1_000_000,
    "batch_size": 256,
    "learning_starts": 5_000,
    "random_timesteps": 5_000,
    "discount_factor": 0.99,
    "polyak": 0.005,
    "actor_learning_rate": 3e-4,
    "critic_learning_rate": 1e-3,
    "temperature_learning_rate": 1e-3,
    "model": {"hidden_sizes": [256, 256]},
}


def run_far(agent: str, bar: float, settings: Mapping[str, Any]) -> Case:
    """Describe a case on MuJoCo's HalfCheetah.

    Settings are those of CleanRL's scripts as far as there are such, and bars the returns that its
    documentation gives for HalfCheetah-v4; ``docs/learning.md`` tells what differs.
    """
    return Case(
        task="HalfCheetah-v5",
        agent=agent,
        env="gymnasium:HalfCheetah-v5",
        num_envs=1,
        timesteps=1_000_000,
        bar=bar,
        settings=settings,
        long=True,
    )


def begin_to_run() -> Case:
    """Describe what two seeds of SAC learn in the first 30,000 steps on HalfCheetah."""
    whole = run_far("sac", 0.0, SAC_CHEETAH)
    return evolve(whole, task="HalfCheetah-v5-beginning", timesteps=30_000, bar=None, seeds=2)


TEAM = {
    "rollouts": 100,
    "learning_rate": 1e-3,
    "discount_factor": 0.95,
    "gae_lambda": 0.9,
}


def carry(agent: str, timesteps: int) -> Case:
    """Describe a case on VMAS's balance: three actors carry a package on a line.

    ``docs/learning.md`` tells where the bar comes from.
    """
    return Case(
        task="balance",
        agent=agent,
        env="vmas:balance",
        num_envs=64,
        timesteps=timesteps,
        bar=40.0,
        settings=TEAM,
        env_settings={"max_steps": 100},
    )


SPREAD = {
    "rollouts": 100,
    "learning_epochs": 8,
    "mini_batches": 32,
    "learning_rate": 1e-3,
    "discount_factor": 0.95,
    "gae_lambda": 0.9,
    "entropy_loss_scale": 0.01,
}


def spread(agent: str) -> Case:
    """Describe a case on mpe2's simple_spread: three actors cover three landmarks.

    ``docs/learning.md`` tells where the bar comes from, and what its units are.
    """
    return Case(
        task="simple_spread",
        agent=agent,
        env="pettingzoo:mpe2/simple_spread_v3",
        num_envs=16,
        timesteps=12_500,
        bar=-10.0,
        settings=SPREAD,
    )


CASES = (
    balance("ppo", 16, 8_000, PPO_SMALL),
    balance("dqn", 8, 6_250, DQN_SMALL),
    balance("a2c", 16, 25_000, A2C_SMALL),
    acrobot("ppo", 16, 8_000, PPO_SMALL),
    acrobot("dqn", 8, 10_000, DQN_ACROBOT),
    acrobot("a2c", 16, 25_000, A2C_SMALL),
    swing("sac", 4, 5_000, SAC),
    swing("td3", 4, 5_000, TD3),
    swing("ddpg", 4, 5_000, DDPG),
    swing("ppo", 16, 6_400, PPO_SWING),
    swing("rpo", 16, 6_400, {**PPO_SWING, "alpha": 0.2}),
    remember(balance("ppo_rnn", 16, 8_000, PPO_SMALL), "ppo_rnn", 475.0),
    remember(balance("ppo", 16, 8_000, PPO_SMALL), "ppo", None),
    remember(swing("sac_rnn", 4, 5_000, SAC_RNN), "sac_rnn", -200.0),
    remember(swing("sac", 4, 5_000, SAC), "sac", None),
    carry("mappo", 3_000),
    carry("ippo", 6_000),
    spread("mappo"),
    spread("ippo"),
    run_far("ppo", 1442.64, PPO_CHEETAH),
    run_far("sac", 9634.89, SAC_CHEETAH),
    begin_to_run(),
)


def wanted(names: Sequence[str], *, long: bool) -> list[Case]:
    """Choose cases: those named; without names all of them, the long ones where asked for."""
    return [case for case in CASES if (case.name in names if names else long or not case.long)]
