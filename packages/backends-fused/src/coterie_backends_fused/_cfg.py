"""Configuration of the fused trainer. Free of torch."""

from __future__ import annotations

from attrs import field, frozen

from coterie.config import TrainerCfg, at_least


@frozen(kw_only=True)
class FusedTrainerCfg(TrainerCfg):
    """What the fused trainer can be told, beside what every trainer can.

    Attributes:
        smallest_stack: How many agents of one kind it takes to stack them; fewer run one after
            the other, as in ``sequential``, with its bits. 1: an agent alone is a stack, too.
        compile_rollout: How many timesteps of acting and stepping the environment are compiled
            into one program, where all agents are in one stack and the environment's step is a
            function of tensors (:class:`~coterie.FunctionalEnv`: those of the ``torch:`` kind);
            0: none. Compiling takes some seconds for each of them. Results are those of single
            steps within rounding, not bit for bit. With ``debug`` nothing is compiled, so that
            every action is checked.
    """

    smallest_stack: int = field(default=2, validator=at_least(1))
    compile_rollout: int = field(default=0, validator=at_least(0))
