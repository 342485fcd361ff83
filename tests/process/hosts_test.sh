#!/usr/bin/env bash
# A federation across hosts: a coordinator and three participants, each in a network namespace with an address
# of its own, from the configuration files alone. Needs root and iproute2; exits with 77 (skipped, with the reason) without.
#
# Usage: hosts_test.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
coordinator=$build/coordinator/sotto-coordinator participant=$build/participant/sotto-participant

skip() { echo "skipped: $*" && exit 77; }
[[ $EUID -eq 0 ]] || skip "network namespaces need root"
command -v ip >/dev/null || skip "iproute2 is not installed"
tag=sotto$$
ip netns add "$tag-probe" 2>/dev/null || skip "this system does not allow network namespaces"
nsenter --net="/run/netns/$tag-probe" true 2>/dev/null || { ip netns delete "$tag-probe" && skip "network namespaces cannot be entered"; }
ip netns delete "$tag-probe"

work=$(mktemp -d)
children=()
cleanup() {
  [[ ${#children[@]} -eq 0 ]] || kill -9 "${children[@]}" 2>/dev/null || true
  for n in 0 1 2 3; do ip netns delete "$tag-$n" 2>/dev/null || true; done
  ip netns delete "$tag-switch" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# Not `ip -n` and `ip netns exec`: they remount /, which a chroot does not allow.
in_host() { nsenter --net="/run/netns/$tag-$1" "${@:2}"; }

# A switch in a namespace of its own, four hosts plugged into it.
ip netns add "$tag-switch"
in_host switch ip link add br0 type bridge
in_host switch ip link set br0 up
for n in 0 1 2 3; do
  ip netns add "$tag-$n"
  ip link add "v$n-$$" type veth peer name "p$n-$$"
  ip link set "v$n-$$" netns "$tag-$n" name eth0
  ip link set "p$n-$$" netns "$tag-switch" name "port$n"
  in_host switch ip link set "port$n" master br0 up
  in_host "$n" ip address add "192.168.77.$((10 + n))/24" dev eth0
  in_host "$n" ip link set eth0 up
  in_host "$n" ip link set lo up
done

job=$source/configs/quickstart/job.json
"$participant" model init --job "$job" --out "$work/model" >/dev/null
"$coordinator" init --dir "$work/c" --name hosts --endpoint tcp://192.168.77.10:7200 --listen "tcp://0.0.0.0:7200" >/dev/null
cards=()
for n in 1 2 3; do
  "$participant" init --dir "$work/$n" --name "host-$n" >/dev/null
  cards+=("$work/$n/host-$n.card.json")
  awk -v n="$n" 'NR % 60 == n' "$source/configs/quickstart/data/train.tsv" >"$work/$n/train.tsv"
  awk -v n="$n" 'NR % 20 == n' "$source/configs/quickstart/data/test.tsv" >"$work/$n/eval.tsv"
  cat >"$work/$n/site.json" <<JSON
{
  "label": "test",
  "data": {"dataset_id": "host-$n", "train": "train.tsv", "evaluation": "eval.tsv", "training_examples": 190},
  "model": {"path": "$work/model"},
  "policy": {"max_epsilon": 1000, "max_epsilon_per_job": 1000, "delta": 1e-5, "allowed_tasks": ["sequence_classification"]},
  "resources": {"device": "cpu", "threads": 1}
}
JSON
done
"$coordinator" enroll --dir "$work/c" "${cards[@]}" >/dev/null
for n in 1 2 3; do
  "$participant" join --dir "$work/$n" "$work/c/federation.json" >/dev/null
  nsenter --net="/run/netns/$tag-$n" "$participant" run --dir "$work/$n" --once >"$work/$n.log" 2>&1 &
  children+=($!)
done
timeout 120 nsenter --net="/run/netns/$tag-0" "$coordinator" run --dir "$work/c" --job "$job" --out "$work/run" \
  --initial-model "$work/model/model.safetensors" --set rounds.num_server_rounds=3 --set local_training.local_steps=1 \
  --set rounds.min_available_participants=3 --json >"$work/rounds.jsonl" 2>"$work/c.log" ||
  { cat "$work/c.log" "$work"/[123].log && exit 1; }
for child in "${children[@]}"; do wait "$child"; done
children=()
done_rounds=$(grep -c '"status":"done"' "$work/rounds.jsonl")
[[ $done_rounds -eq 4 ]] || { echo "expected 3 rounds and the closing evaluation, found $done_rounds" && exit 1; }
echo "passed: 3 rounds and the closing evaluation across four addresses"
