"""Checkpoints that earlier releases wrote are read, and gone on from, to the same result.

``golden/format-N`` was written by the first release with that format; it is never written anew.
"""

import json
import shutil
from pathlib import Path

import pytest
from hostile import edit

from coterie import CheckpointVersion, SequentialTrainer
from coterie._checkpoints.manifest import FORMAT, MANIFEST
from coterie._checkpoints.reading import open_checkpoint
from coterie.testing import CountingEnv, SumAgent

GOLDEN = Path(__file__).parent / "golden"
RESULTS = [  # of the sums, in the run that the first of them was taken from
    ["0x1.f5cf540000000p+11", "-0x1.5f07b80000000p-3", "0x1.0996080000000p+4"],
    ["0x1.ea65940000000p+12", "0x1.1423640000000p+3", "0x1.363a5a0000000p+5"],
]


def population():
    """Make the population that the checkpoints are of; four of its timesteps were done."""
    env = CountingEnv(3, seed=5)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    agents = [
        SumAgent(**spaces, seed=7, name="left", cfg={"scale": 0.5}),
        SumAgent(**spaces, seed=8, name="right"),
    ]
    cfg = {"timesteps": 4, "disable_progressbar": True}
    return SequentialTrainer(env=env, agents=agents, scopes=[1, 2], cfg=cfg)


def test_there_is_one_of_each_format():
    found = {path.name for path in GOLDEN.iterdir()}
    assert found == {f"format-{number}" for number in range(1, FORMAT + 1)}


@pytest.mark.filterwarnings("ignore:the run goes on, but not bit for bit")
@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_it_is_read_and_gone_on_from(name):
    trainer = population()
    assert trainer.resume(GOLDEN / name) == 4
    assert [agent.steps for agent in trainer.agents] == [4, 4]
    trainer.train()
    assert [agent.steps for agent in trainer.agents] == [8, 8]
    found = [[number.hex() for number in agent.sum.tolist()] for agent in trainer.agents]
    assert found == RESULTS


def test_it_says_the_same_as_one_that_is_written_now(tmp_path):
    """A change of the format must not go unnoticed."""
    trainer = population()
    trainer.train()
    written = open_checkpoint(trainer.save(tmp_path / "new"))
    golden = open_checkpoint(GOLDEN / f"format-{FORMAT}")
    assert written.run_state().keys() == golden.run_state().keys()
    new = json.loads((tmp_path / "new" / MANIFEST).read_bytes())
    old = json.loads((GOLDEN / f"format-{FORMAT}" / MANIFEST).read_bytes())
    varying = {"created", "checksum", "platform", "python", "versions", "files", "torch_threads"}
    assert {k: v for k, v in new.items() if k not in varying} == {
        k: v for k, v in old.items() if k not in varying
    }
    tensors = [{f: about["tensors"] for f, about in m["files"].items()} for m in (new, old)]
    assert tensors[0] == tensors[1]


def test_a_format_of_the_future(tmp_path):
    folder = shutil.copytree(GOLDEN / f"format-{FORMAT}", tmp_path / "checkpoint")
    edit("format", value=FORMAT + 1)(folder)
    text = rf"has format {FORMAT + 1}, this version reads {FORMAT}$"
    with pytest.raises(CheckpointVersion, match=text):
        open_checkpoint(folder)
