"""In evaluation agents learn where episodes begin, in every autoreset mode."""

import pytest
import torch
from gymnasium.vector import AutoresetMode

from coterie import SequentialTrainer
from coterie.testing import CountingEnv, SumAgent


class Listener(SumAgent):
    """Notes whether its instances are at the start of an episode when it was told so."""

    def act(self, observations, **others):
        if not self.training:
            self.seen.append(observations[:, 2] == 0)
        return super().act(observations, **others)

    def episodes_ended(self, ended):
        assert not self.training
        self.told.append(ended)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_each_member_hears_of_its_own_episodes(mode):
    env = CountingEnv(5, autoreset_mode=mode)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [Listener(**spaces, seed=seed) for seed in (0, 1)]
    for agent in agents:
        agent.seen, agent.told = [], []
    cfg = {"timesteps": 30, "disable_progressbar": True}
    trainer = SequentialTrainer(env=env, agents=agents, scopes=[2, 3], cfg=cfg)
    trainer.train()
    assert not agents[0].told
    trainer.eval()
    for agent, count in zip(agents, (2, 3), strict=True):
        begins, told = torch.stack(agent.seen)[1:], torch.stack(agent.told)[: len(agent.seen) - 1]
        assert begins.shape == told.shape == (29, count)
        assert begins.sum() > 3
        if mode is AutoresetMode.NEXT_STEP:  # told of the last step and of the one that resets
            assert told[begins].all()
            assert int(told.sum()) - int(told[-1].sum()) <= 2 * int(begins.sum())
        else:
            assert torch.equal(begins, told)
