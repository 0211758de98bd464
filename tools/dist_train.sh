#!/usr/bin/env bash
# Train on several processes of one machine or of several:
#   tools/dist_train.sh CONFIG NUM_PROCESSES [arguments of tools/train.py]
set -euo pipefail
: "${2:?usage: $0 CONFIG NUM_PROCESSES [arguments of tools/train.py]}"
config=$1
processes=$2
exec python "$(dirname "$0")/dist_run.py" \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
