"""The benchmarks are no package of the workspace: they are found by their folders."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT))
sys.path.append(str(ROOT / "benchmarks" / "peers" / "jobs"))  # as a job finds its neighbours
