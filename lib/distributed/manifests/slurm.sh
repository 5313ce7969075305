#!/bin/bash
# Tunebook on Slurm: two nodes with four GPUs each, one rank per GPU.
#   sbatch lib/distributed/manifests/slurm.sh --dataset amazon_polarity --streaming --batch-size 256
#SBATCH --job-name=tunebook
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --distribution=block
#SBATCH --time=08:00:00
# SIGTERM two minutes before the time limit: training stops with a checkpoint.
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append

srun --kill-on-bad-exit=1 node_modules/.bin/tunebook launch --from slurm finetune \
  --run-folder "runs/slurm-$SLURM_JOB_ID" --resume "$@"
code=$?
# 137, 138: a rank was killed, or lost another one; 143: the time limit was reached. The requeued job resumes from its
# checkpoint.
if [[ $code == 137 || $code == 138 || $code == 143 ]]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
