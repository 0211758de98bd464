#!/usr/bin/env bash
# Test on several processes of one machine or of several:
#   tools/dist_test.sh CONFIG CHECKPOINT NUM_PROCESSES [arguments of tools/test.py]
set -euo pipefail
: "${3:?usage: $0 CONFIG CHECKPOINT NUM_PROCESSES [arguments of tools/test.py]}"
config=$1
checkpoint=$2
processes=$3
exec python "$(dirname "$0")/dist_run.py" \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
