"""One agent under skrl's trainer and under ours: the same, bit for bit."""

import pytest
from skrl.trainers.torch import SequentialTrainer as SkrlSequentialTrainer
from skrl.utils import set_seed

from coterie_skrl import SequentialTrainer

TIMESTEPS = 40
CFG = {"timesteps": TIMESTEPS, "headless": True, "disable_progressbar": True}
KINDS = (
    "a2c", "a2c_rnn", "amp", "cem", "ddpg", "ddpg_rnn", "ddqn", "dqn", "ppo", "ppo_discrete",
    "ppo_rnn", "ppo_states", "q_learning", "rpo", "rpo_rnn", "sac", "sac_rnn", "sarsa", "td3",
    "td3_rnn", "trpo", "trpo_rnn", "ippo", "mappo",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_faithful_is_what_skrl_does(kind, zoo, tmp_path):
    ends = []
    for trainer, use in ((SkrlSequentialTrainer, {}), (SequentialTrainer, {"faithful": True})):
        set_seed(3)
        env = zoo.env_for(kind)
        agent = zoo.make_agent(kind, env, 4, tmp_path)
        before = zoo.everything(agent)
        trainer(env=env, agents=agent, cfg=dict(CFG), **use).train()
        ends.append(zoo.everything(agent))
        assert len(zoo.differences(before, ends[-1])) > 3
    assert zoo.differences(*ends) == []
