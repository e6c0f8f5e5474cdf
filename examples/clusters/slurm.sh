#!/bin/bash
#SBATCH --job-name=coterie
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@300
#SBATCH --output=%x-%j.log

# One Ray cluster for the time of the job, and a run of Coterie on it. Submit it with
# "sbatch slurm.sh"; submit it again to go on with a run that the time limit has ended: the trainer
# gets SIGTERM five minutes before, and saves a checkpoint.
set -euo pipefail

# The environment must be the same on every node, such as one on shared storage.
source "${VENV:-$HOME/coterie}/bin/activate"
run="${RUN:-$HOME/runs/population}"

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=${PORT:-6379}
cpus=$SLURM_CPUS_PER_TASK

# Without this, whoever reaches the port can run code as you.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(python -c "import secrets; print(secrets.token_hex(32))")
export RAY_AUTH_TOKEN

srun --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$head" \
    ray start --head --port="$port" --num-cpus="$cpus" --include-dashboard=false \
    --disable-usage-stats --block &
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    others=$((SLURM_JOB_NUM_NODES - 1))
    srun --nodes="$others" --ntasks="$others" --cpus-per-task="$cpus" --exclude="$head" \
        bash -c 'until ray start --address="$0" --num-cpus="$1" --block; do sleep 2; done' \
        "$head:$port" "$cpus" &
fi

# How many islands there is room for is counted at the start: wait for every node.
python - "$head:$port" "$SLURM_JOB_NUM_NODES" <<'PYTHON'
import sys
import time

import ray

address, wanted = sys.argv[1], int(sys.argv[2])
for _ in range(60):
    try:
        ray.init(address=address, logging_level="ERROR")
        break
    except ConnectionError:
        time.sleep(2)
for _ in range(150):
    if sum(node["Alive"] for node in ray.nodes()) >= wanted:
        break
    time.sleep(2)
else:
    sys.exit(f"fewer than {wanted} nodes have joined the cluster at {address}")
PYTHON

# The program takes the script's place, so that the signal reaches it. Its end is the job's.
on=(--trainer ray --trainer-set address="$head:$port" --trainer-set cpus="${ISLAND_CPUS:-4}")
if [ -e "$run/run.json" ]; then
    exec coterie resume "$run" "${on[@]}"
fi
exec coterie train "${WHAT:-gymnasium:CartPole-v1}" --agent ppo --members "${MEMBERS:-32}" \
    --num-envs "${NUM_ENVS:-512}" --timesteps "${TIMESTEPS:-20000}" "${on[@]}" --run-dir "$run"
