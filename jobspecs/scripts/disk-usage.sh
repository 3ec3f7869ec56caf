#!/bin/sh
# How full the file system is; the last line is the result. Exit 1 above the limit (parameters.args: mount, percent).
set -eu
mount=${1:-/} limit=${2:-98}
echo "run $SHARDKEEPER_RUN_NAME on node $SHARDKEEPER_NODE_ID"
df -P "$mount" | tail -n 1 | {
    read -r device blocks used available percent _
    percent=${percent%\%}
    if [ "$percent" -gt "$limit" ]; then
        echo "$mount is $percent% full, more than $limit%" >&2
        exit 1
    fi
    printf '{"mount": "%s", "device": "%s", "percent": %s, "available_kib": %s, "blocks": %s, "used": %s}\n' \
        "$mount" "$device" "$percent" "$available" "$blocks" "$used"
}
