"""The swimmer's equations against others that were derived in another way."""

from __future__ import annotations

from itertools import pairwise

import attrs
import torch

from coterie_envs import Swimmer
from coterie_envs._torch.chain import Chain, solved

CPU = torch.device("cpu")
STILL = Chain(
    rods=4, half=0.1, mass=0.3, along=0.0, across=0.0, damping=0.0, stiffness=0.0, stop=9.0,
    device=CPU,
)  # fmt: skip
WATER = attrs.evolve(STILL, along=0.3, across=3.0, damping=0.02, stiffness=2.0, stop=0.5)


def states(chain: Chain, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4 + 2 * chain.rods, count, generator=generator, dtype=torch.float64)


def centres(chain: Chain, places: torch.Tensor) -> torch.Tensor:
    """The rods' centres ``[n, 2]`` from centre of mass and angles, rod by rod from the first."""
    angles = places[2:]
    along = torch.stack((angles.cos(), angles.sin()), 1) * chain.half
    found = [torch.zeros(2, dtype=torch.float64)]
    for before, after in pairwise(along):
        found.append(found[-1] + before + after)
    chained = torch.stack(found)
    return places[:2] + chained - chained.mean(0)


def points(chain: Chain, places: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Points on the rods at a share of the half-length from their centres: ``[n * K, 2]``."""
    angles = places[2:]
    along = torch.stack((angles.cos(), angles.sin()), 1) * chain.half
    return (centres(chain, places)[:, None] + share[None, :, None] * along[:, None]).flatten(0, 1)


def lagrange(chain: Chain, state: torch.Tensor, torques: torch.Tensor) -> torch.Tensor:
    """Accelerations of one state, from the kinetic energy alone by automatic differentiation."""
    size = 2 + chain.rods
    places, speeds = state[:size], state[size:]

    def kinetic(where: torch.Tensor, how: torch.Tensor) -> torch.Tensor:
        moved = torch.func.jvp(lambda p: centres(chain, p), (where,), (how,))[1]
        turning = chain.mass * chain.half**2 / 3 * how[2:].square().sum()
        return (chain.mass * moved.square().sum() + turning) / 2

    momentum = torch.func.grad(kinetic, 1)
    mass = torch.func.hessian(kinetic, 1)(places, speeds)
    changing = torch.func.jvp(lambda p: momentum(p, speeds), (places,), (speeds,))[1]
    push = torch.func.grad(kinetic, 0)(places, speeds) - changing
    # Drag on many points of each rod, by the virtual work that it does.
    # Gauss and Legendre's rule of two points is exact for what is quadratic along a rod.
    share = torch.tensor([-1.0, 1.0], dtype=torch.float64) / 3**0.5
    reach = torch.func.jacrev(lambda p: points(chain, p, share))(places)
    velocity = reach @ speeds
    angle = places[2:].repeat_interleave(2)
    heading = torch.stack((angle.cos(), angle.sin()), 1)
    normal = torch.stack((-angle.sin(), angle.cos()), 1)
    along = (velocity * heading).sum(1, keepdim=True) * heading
    across = (velocity * normal).sum(1, keepdim=True) * normal
    drag = -(chain.along * along + chain.across * across) / 2
    push = push + torch.einsum("pcq,pc->q", reach, drag)
    bend, rate = places[3:] - places[2:-1], speeds[3:] - speeds[2:-1]
    beyond = bend - bend.clamp(-chain.stop, chain.stop)
    inner = torques - chain.damping * rate - chain.stiffness * beyond
    push[3:] += inner
    push[2:-1] -= inner
    return torch.linalg.solve(mass, push)


def run(chain: Chain, state: torch.Tensor, seconds: float, steps: int) -> torch.Tensor:
    """Runge and Kutta's method, without torques."""
    dt, rest = seconds / steps, torch.zeros(chain.rods - 1, state.shape[1], dtype=torch.float64)
    for _ in range(steps):
        k1 = chain.rates(state, rest)
        k2 = chain.rates(state + dt / 2 * k1, rest)
        k3 = chain.rates(state + dt / 2 * k2, rest)
        k4 = chain.rates(state + dt * k3, rest)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def test_accelerations_follow_from_the_energy():
    """Lagrange's equations by automatic differentiation of energy, drag by virtual work."""
    for chain in (STILL, WATER):
        state = states(chain, 5)
        torques = states(chain, 5)[:3] * 0.3
        rates = chain.rates(state, torques)
        assert torch.equal(rates[:6], state[6:])
        for row in range(5):
            expected = lagrange(chain, state[:, row], torques[:, row])
            torch.testing.assert_close(rates[6:, row], expected, rtol=1e-9, atol=1e-9)


def angular_momentum(chain: Chain, state: torch.Tensor) -> torch.Tensor:
    size = 2 + chain.rods
    places, speeds = state[:size], state[size:]
    moved = torch.func.jvp(lambda p: centres(chain, p), (places,), (speeds,))[1]
    where = centres(chain, places)
    orbital = (where[:, 0] * moved[:, 1] - where[:, 1] * moved[:, 0]).sum() * chain.mass
    return orbital + chain.mass * chain.half**2 / 3 * speeds[2:].sum()


def test_without_a_medium_energy_and_momenta_stay():
    state = states(STILL, 6)
    after = run(STILL, state, 1.0, 400)
    assert (after - state).abs().max() > 1
    torch.testing.assert_close(STILL.energy(after), STILL.energy(state), rtol=1e-8, atol=0)
    torch.testing.assert_close(after[6:8], state[6:8])
    for row in range(6):
        before, then = (angular_momentum(STILL, part[:, row]) for part in (state, after))
        torch.testing.assert_close(then, before, rtol=1e-8, atol=1e-10)


def test_a_medium_takes_energy_and_nothing_else_gives_it():
    state = states(WATER, 6)
    energies = [WATER.energy(state)]
    for _ in range(20):
        state = run(WATER, state, 0.05, 6)
        energies.append(WATER.energy(state))
    assert all((after < before).all() for before, after in pairwise(energies))
    assert (energies[-1] < 0.2 * energies[0]).all()


def test_turning_and_mirroring_the_world_changes_nothing_else():
    state, torques = states(WATER, 4), states(WATER, 4)[:3] * 0.3
    rates = WATER.rates(state, torques)
    angle = torch.tensor(0.7, dtype=torch.float64)
    rotation = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    turned = torch.cat((rotation @ state[:2], state[2:6] + angle, rotation @ state[6:8], state[8:]))
    expected = torch.cat((rotation @ rates[:2], rates[2:6], rotation @ rates[6:8], rates[8:]))
    torch.testing.assert_close(WATER.rates(turned, torques), expected)
    signs = torch.tensor([1, -1, -1, -1, -1, -1] * 2, dtype=torch.float64)[:, None]
    torch.testing.assert_close(WATER.rates(signs * state, -torques), signs * rates)


def test_solving_systems():
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(50, 7, 7, generator=generator, dtype=torch.float64)
    matrix = factor @ factor.mT + torch.eye(7, dtype=torch.float64)
    right = torch.randn(50, 7, generator=generator, dtype=torch.float64)
    expected = torch.linalg.solve(matrix, right)
    found = solved(matrix.permute(1, 2, 0).clone(), right.t().clone())
    torch.testing.assert_close(found.t(), expected)


def test_one_step_is_near_many_small_ones():
    """Two Runge-Kutta steps are enough for 0.04 s."""
    env = Swimmer(8, seed=0)
    env.reset()
    generator = torch.Generator().manual_seed(0)
    for _ in range(25):
        env.step(torch.rand(8, 6, generator=generator) * 2 - 1)
    state = env.simulation.state
    exact = run(env._chain, state, 0.04, 20)
    one = env.dynamics(state, torch.zeros(8, 6))
    torch.testing.assert_close(one, exact, rtol=0, atol=0.03)


def gait(env: Swimmer, phase: float) -> float:
    """Metres after 4 s of a travelling wave of torques."""
    env.reset()
    joints = torch.arange(6)
    for step in range(100):
        wave = torch.sin(5.0 * 0.04 * step + phase * joints)
        env.step(wave.repeat(env.num_envs, 1))
    return float(env.simulation.state[0].mean())


def test_a_wave_that_runs_to_the_tail_swims_forwards():
    forwards, backwards = gait(Swimmer(1, seed=0), 0.9), gait(Swimmer(1, seed=0), -0.9)
    assert forwards > 0.2
    assert backwards < -0.2


def test_what_is_observed_and_earned():
    env = Swimmer(2, seed=0)
    env.reset()
    state = torch.zeros(18, 2, dtype=torch.float64)
    state[8, :] = torch.pi / 2  # the head looks up; the joint before it is bent by 90 degrees
    state[9], state[10] = 0.3, 0.5
    state[17] = 2.0
    seen = env.observe(state)[0]
    expected = torch.zeros(17)
    expected[1], expected[7] = 1.0, torch.pi / 2
    expected[8], expected[9], expected[10], expected[16] = 0.5, -0.3, 2.0, 2.0
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-6)
    moved = state.clone()
    moved[0] = 0.02
    actions = torch.tensor([[1.0] * 6, [5.0] * 6])
    worth = env.reward(state, actions, moved, env.terminal(moved))
    torch.testing.assert_close(worth.float(), torch.full((2,), 0.5 - 0.01))
