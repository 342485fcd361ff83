#!/usr/bin/env bash
# Starts a coordinator and N participants as separate processes on this machine, for any job: makes
# demonstration identities, enrols and joins them, runs the job over ZeroMQ CURVE on loopback.
#
# Usage: scripts/launch.sh --job FILE --out FOLDER [options]
#   --job FILE           job.json
#   --out FOLDER         of the run; sites, coordinator and logs are made inside; must not exist
#   --participants N     how many (default 4)
#   --shards FOLDER      NAME/train.tsv and NAME/eval.tsv a participant; without it the data beside the
#                        job (data/train.tsv, data/test.tsv) are cut by Dirichlet 0.5 over the labels
#   --data FILE          file whose examples are split among the participants instead, a fifth of them held out as the
#                        evaluation split; CSV, TSV and JSONL need --text-column and, with labels, --label-column
#   --text-column NAME   column or key of the text in that file
#   --label-column NAME  column or key of the label
#   --label TEXT         what the sites are called in reports (default "demonstration")
#   --port N             of the coordinator (default: a free one)
#   --set PATH=VALUE     override a key of the job; may be repeated
#   --run-option OPTION  of `sotto-coordinator run`, as in --run-option --dashboard=127.0.0.1:7300; may be repeated
#   --no-report          print no table of figures at the end
#   --no-build           use the binaries as they are
# Every launch makes fresh sites with ledgers of their own. A real site keeps one ledger for ever, and
# that ledger would refuse a second spending.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

job='' out='' participants=4 shards='' label=demonstration port='' build=yes report=yes data=() overrides=() run_options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --job) job=${2:?--job needs a file} && shift ;;
    --out) out=${2:?--out needs a folder} && shift ;;
    --participants) participants=${2:?--participants needs a number} && shift ;;
    --shards) shards=${2:?--shards needs a folder} && shift ;;
    --data) data+=(--train "${2:?--data needs a file}" --held-out 0.2) && shift ;;
    --text-column) data+=(--text "${2:?--text-column needs a name}") && shift ;;
    --label-column) data+=(--label "${2:?--label-column needs a name}") && shift ;;
    --label) label=${2:?--label needs a text} && shift ;;
    --port) port=${2:?--port needs a number} && shift ;;
    --set) overrides+=(--set "${2:?--set needs PATH=VALUE}") && shift ;;
    --run-option) run_options+=("${2:?--run-option needs an option}") && shift ;;
    --no-report) report=no ;;
    --no-build) build=no ;;
    -h | --help) usage "$0" && exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
[[ -n $job && -n $out ]] || die "--job and --out are needed (see --help)"
[[ -f $job ]] || die "$job does not exist"
[[ ${#data[@]} -eq 0 || -z $shards ]] || die "--data and --shards exclude each other"
[[ ! -e $out ]] || die "$out exists already; a launch makes fresh sites, so choose another folder or remove it"
[[ $build == no ]] || build_preset dev sotto-coordinator sotto-participant

bin=$(build_dir dev)
coordinator=$bin/coordinator/sotto-coordinator participant=$bin/participant/sotto-participant
mkdir -p "$out/logs" "$out/ledgers"
job=$(realpath "$job") out=$(realpath "$out")

free_port() {
  local candidate
  for _ in {1..50}; do
    candidate=$(shuf -i 20000-59999 -n 1)
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo "$candidate" && return; }
  done
  die "no free port found; name one with --port"
}

json_string() { python3 -c 'import json,sys; print(json.dumps(sys.argv[1]))' "$1"; }

# ---- data and sites
if [[ -z $shards ]]; then
  shards=$out/shards
  "$participant" data split --job "$job" "${data[@]}" --participants "$participants" --out "$shards" >&2
fi
mapfile -t names < <(find "$shards" -mindepth 2 -maxdepth 2 -name train.tsv -printf '%P\n' | sort | head -n "$participants" | sed 's,/.*,,')
[[ ${#names[@]} -eq $participants ]] || die "$shards holds ${#names[@]} shards, $participants are needed"

private=yes
for override in "${overrides[@]}"; do
  [[ $override != differential_privacy.enabled=false ]] || private=no
done
# A demonstration site agrees to the job as it stands.
read -r task epsilon delta rounds colluders < <("$coordinator" config show "$job" "${overrides[@]}" task.type differential_privacy.target_epsilon differential_privacy.target_delta rounds.num_server_rounds secure_aggregation.max_colluders | paste -sd " ")

# A demonstration site declares the true sizes of its files.
count() { "$participant" data count --job "$job" --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["examples"])'; }

write_site() {  # NAME
  cat >"$out/sites/$1/site.json" <<JSON
{
  "label": $(json_string "$label"),
  "data": {
    "dataset_id": $(json_string "$1"),
    "train": $(json_string "$(realpath "$shards/$1/train.tsv")"),
    "evaluation": $(json_string "$(realpath "$shards/$1/eval.tsv")"),
    "training_examples": $(count "$shards/$1/train.tsv"),
    "evaluation_examples": $(count "$shards/$1/eval.tsv")
  },
  "model": {"path": $(json_string "$model_path")},
  "policy": {
    "max_epsilon": $epsilon,
    "max_epsilon_per_job": $epsilon,
    "delta": $delta,
    "max_colluders": $colluders,
    "require_differential_privacy": $([[ $private == yes ]] && echo true || echo false),
    "allowed_tasks": [$(json_string "$task")],
    "max_server_rounds": $rounds
  },
  "resources": {"device": "cpu", "threads": 1}
}
JSON
}

say "making a coordinator and ${#names[@]} $label sites in $out"
model_path=$out/initial-model
"$participant" model init --job "$job" "${overrides[@]}" --out "$model_path" >/dev/null
endpoint=tcp://127.0.0.1:${port:-$(free_port)}
"$coordinator" init --dir "$out/coordinator" --name "${label// /-}" --endpoint "$endpoint" >/dev/null
for name in "${names[@]}"; do
  "$participant" init --dir "$out/sites/$name" --name "$name" >/dev/null
  write_site "$name"
done
cards=("${names[@]/#/$out/sites/}")
for i in "${!cards[@]}"; do cards[i]+=/${names[i]}.card.json; done
"$coordinator" enroll --dir "$out/coordinator" "${cards[@]}" >"$out/logs/enroll.log"
for name in "${names[@]}"; do
  "$participant" join --dir "$out/sites/$name" "$out/coordinator/federation.json" >"$out/logs/join-$name.log"
done

# ---- run
initial=$model_path/adapter_model.safetensors  # LoRA trains adapters alone
[[ -f $initial ]] || initial=$model_path/model.safetensors
children=()
trap '[[ ${#children[@]} -eq 0 ]] || kill "${children[@]}" 2>/dev/null || true' EXIT
for name in "${names[@]}"; do
  "$participant" run --dir "$out/sites/$name" --once >"$out/logs/$name.log" 2>&1 &
  children+=($!)
done
status=0
"$coordinator" run --dir "$out/coordinator" --job "$job" "${overrides[@]}" --out "$out" \
  --initial-model "$initial" "${run_options[@]}" || status=$?
[[ $status -eq 0 ]] || die "the run ended with status $status; the logs are in $out/logs"
for child in "${children[@]}"; do wait "$child" || warn "a participant ended with status $?: see $out/logs"; done
children=()
for name in "${names[@]}"; do
  "$participant" ledger --dir "$out/sites/$name" --json >"$out/ledgers/$name.json"
done
if [[ $report == yes ]]; then
  echo
  "$coordinator" report "$out" --ledger "$out"/ledgers/*.json
fi
