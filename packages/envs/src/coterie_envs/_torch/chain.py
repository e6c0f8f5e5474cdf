"""The motion of a free planar chain of equal rods in a resisting medium.

Rod ``i`` of ``n`` has mass ``m``, half-length ``h``, moment of inertia ``J = m h² / 3`` and the
angle ``θᵢ`` to the x-axis; ``eᵢ = (cos θᵢ, sin θᵢ)`` points along it, ``nᵢ = (-sin θᵢ, cos θᵢ)``
across. Where rods meet, their ends coincide, so the centre of rod ``i`` lies ``Σⱼ Bᵢⱼ eⱼ`` from the
chain's centre of mass, with a constant matrix ``B``, and the kinetic energy is

    T = ½ n m |V|² + ½ Σᵢ J ωᵢ² + ½ Σⱼₖ Gⱼₖ cos(θⱼ - θₖ) ωⱼ ωₖ,    G = m Bᵀ B,

with the velocity ``V`` of the centre of mass and ``ω`` the angular velocities. Lagrange's
equations of it are

    n m dV/dt = Σᵢ fᵢ
    Σₖ (J δⱼₖ + Gⱼₖ cos(θⱼ - θₖ)) dωₖ/dt = Qⱼ - Σₖ Gⱼₖ sin(θⱼ - θₖ) ωₖ²

where ``fᵢ`` is the drag on rod ``i`` and ``Qⱼ`` what acts on ``θⱼ``: the motors, the joints'
damping and stops, the drag through ``B`` and the drag against turning. Drag is linear in the
velocity with one factor along a rod and a larger one across it, resistive force theory: J. Gray
and G. J. Hancock, "The propulsion of sea-urchin spermatozoa", Journal of Experimental Biology 32
(1955). The same model of a snake in a viscous medium is derived by P. Liljebäck, K. Y. Pettersen,
Ø. Stavdahl and J. T. Gravdahl, "Snake Robots", Springer (2013), chapter 2.
"""

from __future__ import annotations

import torch
from attrs import field, frozen


@frozen(kw_only=True, eq=False)
class Chain:
    """A chain of rods: numbers, and the matrices that follow from them.

    Attributes:
        rods: Number of rods ``n``.
        half: Half the length of a rod ``h``, m.
        mass: Mass of a rod ``m``, kg.
        along: Drag on a rod per velocity along it, N·s/m.
        across: Drag on a rod per velocity across it, N·s/m.
        damping: Torque in a joint per angular velocity, N·m·s.
        stiffness: Torque of a joint's stop per angle beyond it, N·m.
        stop: The angle (rad) that a joint can bend to before its stop pushes back.
        device: Where the matrices live.
        levers: ``B``, float64 ``[n, n, 1]``.
        coupling: ``G``, float64 ``[n, n, 1]``.
        own: ``J`` on the diagonal, float64 ``[n, n, 1]``.
    """

    rods: int
    half: float
    mass: float
    along: float
    across: float
    damping: float
    stiffness: float
    stop: float
    device: torch.device
    levers: torch.Tensor = field(init=False)
    coupling: torch.Tensor = field(init=False)
    own: torch.Tensor = field(init=False)

    @levers.default
    def _levers(self) -> torch.Tensor:
        ends = 2 * torch.ones(self.rods, self.rods, dtype=torch.float64).tril(-1)
        ends += torch.eye(self.rods, dtype=torch.float64)
        return (self.half * (ends - ends.mean(0)))[:, :, None].to(self.device)

    @coupling.default
    def _coupling(self) -> torch.Tensor:
        levers = self.levers[:, :, 0].cpu()
        return (self.mass * levers.T @ levers)[:, :, None].to(self.device)

    @own.default
    def _own(self) -> torch.Tensor:
        unit = torch.eye(self.rods, dtype=torch.float64, device=self.device)
        return unit[:, :, None] * (self.mass * self.half**2 / 3)

    def rates(self, state: torch.Tensor, torques: torch.Tensor) -> torch.Tensor:
        """Say how a state changes.

        Args:
            state: Centre of mass (m), angles (rad), their velocities (m/s, rad/s): float64
                ``[4 + 2n, N]``, in the order x, y, θ, dx/dt, dy/dt, ω.
            torques: Torques of the motors, positive where they enlarge ``θᵢ₊₁ - θᵢ``, N·m: float64
                ``[n - 1, N]``.

        Returns:
            The time derivative, of the same shape.
        """
        n = self.rods
        angles, speeds, spins = state[2 : 2 + n], state[2 + n : 4 + n], state[4 + n :]
        cosine, sine = angles.cos(), angles.sin()
        forces, turning = self._drag(cosine, sine, speeds, spins)
        turning = turning + self._joints(angles, spins, torques)
        products = cosine[:, None] * cosine, sine[:, None] * sine
        inertia = self.coupling * (products[0] + products[1]) + self.own
        twist = sine[:, None] * cosine - cosine[:, None] * sine
        turning = turning - added(self.coupling * twist * spins.square(), 1)
        acceleration = added(forces, 1) / (n * self.mass)
        return torch.cat((speeds, spins, acceleration, solved(inertia, turning)))

    def _drag(
        self, cosine: torch.Tensor, sine: torch.Tensor, speeds: torch.Tensor, spins: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Forces ``[2, n, N]`` on the rods and what they do to the angles, ``[n, N]``."""
        normals = torch.stack((-sine, cosine))
        velocity = speeds[:, None] + added(self.levers * (normals * spins)[:, None], 2)
        along = (velocity[0] * cosine + velocity[1] * sine) * -self.along
        across = (velocity[1] * cosine - velocity[0] * sine) * -self.across
        forces = torch.stack((along * cosine - across * sine, along * sine + across * cosine))
        moved = added(self.levers.transpose(0, 1) * forces[:, None], 2) * normals
        return forces, moved[0] + moved[1] - self.across * self.half**2 / 3 * spins

    def _joints(
        self, angles: torch.Tensor, spins: torch.Tensor, torques: torch.Tensor
    ) -> torch.Tensor:
        """What motors, damping and stops do to the angles: ``[n, N]``."""
        bend, rate = angles[1:] - angles[:-1], spins[1:] - spins[:-1]
        beyond = bend - bend.clamp(-self.stop, self.stop)
        inner = torques - self.damping * rate - self.stiffness * beyond
        return torch.nn.functional.pad(inner, (0, 0, 1, 0)) - torch.nn.functional.pad(
            inner, (0, 0, 0, 1)
        )

    def energy(self, state: torch.Tensor) -> torch.Tensor:
        """Kinetic energy, and that of the stops, of states ``[4 + 2n, N]``: J, ``[N]``."""
        n = self.rods
        angles, speeds, spins = state[2 : 2 + n], state[2 + n : 4 + n], state[4 + n :]
        between = (angles[:, None] - angles).cos() * self.coupling + self.own
        turning = (between * spins[:, None] * spins).sum((0, 1))
        bend = angles[1:] - angles[:-1]
        beyond = bend - bend.clamp(-self.stop, self.stop)
        moving = n * self.mass * speeds.square().sum(0)
        return (moving + turning + self.stiffness * beyond.square().sum(0)) / 2


def added(terms: torch.Tensor, dim: int) -> torch.Tensor:
    """Add along a dimension, from the first to the last, whatever the other sizes are.

    ``sum`` chooses an order by the sizes, and with it the last bit.
    """
    first, *others = terms.unbind(dim)
    total = first.clone()
    for term in others:
        total += term
    return total


def solved(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solve systems with positive definite matrices by elimination without pivots.

    Element-wise over the systems, so that a solution does not depend on the others.

    Args:
        matrix: ``[n, n, N]``; overwritten.
        right: Right sides ``[n, N]``; overwritten.

    Returns:
        Solutions ``[n, N]``.
    """
    size = len(right)
    for k in range(size - 1):
        factors = matrix[k + 1 :, k] / matrix[k, k]
        matrix[k + 1 :, k + 1 :] -= factors[:, None] * matrix[k, k + 1 :]
        right[k + 1 :] -= factors * right[k]
    for k in reversed(range(size)):
        right[k] /= matrix[k, k]
        if k:
            right[:k] -= matrix[:k, k] * right[k]
    return right
