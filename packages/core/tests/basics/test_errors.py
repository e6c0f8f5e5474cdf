"""Failures have names, survive pickling, and tell what they know."""

import pickle

import pytest

import coterie
from coterie import ConfigError, CoterieError, TrainingInterrupted, WorkerError

_WORKER_ERRORS = [WorkerError, *WorkerError.__subclasses__()]


@pytest.mark.parametrize("kind", _WORKER_ERRORS, ids=lambda kind: kind.__name__)
def test_worker_errors_cross_a_pipe(kind):
    error = kind(
        "agent 1 ('b') died",
        agent_index=1,
        agent_name="b",
        phase="act",
        timestep=17,
        pid=4,
        exitcode=-9,
        signal="SIGKILL",
        remote_traceback="Traceback …",
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert {name: getattr(again, name) for name in WorkerError.FIELDS} == {
        name: getattr(error, name) for name in WorkerError.FIELDS
    }
    assert str(again) == "agent 1 ('b') died\n\nTraceback …"


def test_every_error_has_the_root():
    names = [name for name in coterie.__all__ if name.startswith(("Checkpoint", "Worker"))]
    names.remove("CheckpointCfg")
    names += ["ConfigError", "EnvContractError", "PluginError", "PluginNotFound"]
    names += ["SharedMemoryError", "TrainerStateError"]
    assert all(issubclass(getattr(coterie, name), CoterieError) for name in names)
    assert len(names) > 15


def test_built_in_bases():
    assert issubclass(ConfigError, ValueError)
    assert issubclass(coterie.CheckpointWriteError, OSError)
    assert issubclass(TrainingInterrupted, KeyboardInterrupt)
    assert not issubclass(TrainingInterrupted, Exception)
    assert TrainingInterrupted("…", "SIGTERM").signal == "SIGTERM"
