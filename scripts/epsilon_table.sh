#!/usr/bin/env bash
# What privacy costs in accuracy: trains every worked example at several epsilons, each time as a
# federation and as every participant alone under the same privacy, and writes the table.
#
# Usage: scripts/epsilon_table.sh [--out FOLDER] [--examples "A B"] [--epsilons "1 8 none"]
#                                 [--seeds N] [--table FILE] [--no-run] [--set PATH=VALUE ...]
#   --out FOLDER       results, one file each (default runs/epsilon-table); what is there is not
#                      trained again, so an interrupted table goes on where it stopped
#   --examples LIST    folders of configs/ (default: all with a job.json and data/shards)
#   --epsilons LIST    default "1 2 4 8 none"
#   --seeds N          runs of each; the table has the median (default 1)
#   --table FILE       the Markdown file whose lines between the epsilon_table marks are replaced;
#                      without it the table goes to stdout
#   --no-run           trains nothing: the table of what is there
#   --set PATH=VALUE   override a key of every job
# The federation is sotto-simulate on the example's own shards, the baseline sotto-participant
# train-alone; both are measured on the held-out examples of all shards together.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$SOTTO_ROOT/runs/epsilon-table examples='' epsilons='1 2 4 8 none' seeds=1 table='' run=yes overrides=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --out) out=${2:?--out needs a folder} && shift ;;
    --examples) examples=${2:?--examples needs names} && shift ;;
    --epsilons) epsilons=${2:?--epsilons needs numbers} && shift ;;
    --seeds) seeds=${2:?--seeds needs a number} && shift ;;
    --table) table=${2:?--table needs a file} && shift ;;
    --no-run) run=no ;;
    --set) overrides+=(--set "${2:?--set needs PATH=VALUE}") && shift ;;
    -h | --help) usage "$0" && exit 0 ;;
    *) die "unknown option $1 (see --help)" ;;
  esac
  shift
done
if [[ -z $examples ]]; then
  for folder in "$SOTTO_ROOT"/configs/*/; do
    [[ ! -f $folder/job.json || ! -d $folder/data/shards ]] || examples+=" $(basename "$folder")"
  done
fi
mkdir -p "$out"

# privacy_of EPSILON: options for the job
privacy_of() {
  if [[ $1 == none ]]; then
    printf -- '--set\ndifferential_privacy.enabled=false\n'
  else
    printf -- '--set\ndifferential_privacy.target_epsilon=%s\n' "$1"
  fi
}

# A result is written beside its place and moved there, so that it is whole or absent.
federation() {  # EXAMPLE EPSILON SEED
  local example=$SOTTO_ROOT/configs/$1 result=$out/$1/$2/federation-$3.json run=$out/$1/$2/run-$3 options
  [[ ! -f $result ]] || return 0
  mapfile -t options < <(privacy_of "$2")
  rm -rf "$run" && mkdir -p "$run"
  "$bin/participant/sotto-simulate" "$example/job.json" --shards "$example/data/shards" \
    --seed "$3" --threads 2 --out "$run" --json "${options[@]}" "${overrides[@]}" 2>"$run/log" |
    tail -n 1 >"$result.part" || die "the simulation of $1 at epsilon $2 failed: see $run/log"
  mv "$result.part" "$result"
  rm -rf "$run"
}

alone() {  # EXAMPLE EPSILON SEED SITE
  local example=$SOTTO_ROOT/configs/$1 result=$out/$1/$2/alone-$3-$4.json
  local site=$out/$1/$2/alone-$3-$4 options examples
  [[ ! -f $result ]] || return 0
  mapfile -t options < <(privacy_of "$2")
  rm -rf "$site" && mkdir -p "$site"
  examples=$("$bin/participant/sotto-participant" data count --job "$example/job.json" --json "$example/data/shards/$4/train.tsv")
  python3 - "$2" "$4" "$example" "$task" "$examples" >"$site/site.json" <<'PY'
import json, sys
epsilon, site, example, task, counted = sys.argv[1:]
private = epsilon != "none"
budget = float(epsilon) * 1.001 if private else 1000
print(json.dumps({
    "label": "demonstration baseline",
    "model": {"path": f"{example}/model"},
    "data": {"dataset_id": site, "train": f"{example}/data/shards/{site}/train.tsv",
             "evaluation": f"{example}/data/shards/{site}/eval.tsv",
             "training_examples": json.loads(counted)["examples"]},
    "policy": {"max_epsilon": budget, "max_epsilon_per_job": budget,
               "require_differential_privacy": private, "allowed_tasks": [task]},
    "resources": {"device": "cpu", "threads": 1}}))
PY
  "$bin/participant/sotto-participant" train-alone --dir "$site" --job "$example/job.json" \
    --site "$site/site.json" --evaluation "$out/$1/held-out.tsv" --json "${options[@]}" \
    "${overrides[@]}" >"$result.part" 2>"$site/log" || die "$4 of $1 alone at epsilon $2 failed: see $site/log"
  mv "$result.part" "$result"
  rm -rf "$site"
}

train_all() {
  build_preset dev sotto-coordinator sotto-participant sotto-simulate
  bin=$(build_dir dev)
  local example seed epsilon site shards
  for example in $examples; do
    shards=$SOTTO_ROOT/configs/$example/data/shards
    [[ -d $shards ]] || die "configs/$example has no data/shards"
    task=$("$bin/coordinator/sotto-coordinator" config show "$SOTTO_ROOT/configs/$example/job.json" task.type)
    mkdir -p "$out/$example"
    cat "$shards"/*/eval.tsv >"$out/$example/held-out.tsv"
    for ((seed = 1; seed <= seeds; ++seed)); do
      for epsilon in $epsilons; do
        mkdir -p "$out/$example/$epsilon"
        say "$example, epsilon $epsilon, run $seed of $seeds"
        federation "$example" "$epsilon" "$seed"
        for site in "$shards"/*/; do
          alone "$example" "$epsilon" "$seed" "$(basename "$site")" &
          # Two at a time: a training each has one thread.
          [[ $(jobs -rp | wc -l) -lt 2 ]] || wait -n
        done
        while [[ $(jobs -rp | wc -l) -gt 0 ]]; do wait -n; done
      done
    done
  done
}

started=$(date +%s)
[[ $run == no ]] || train_all
taken=$(($(date +%s) - started))
[[ -f $out/seconds ]] || echo 0 >"$out/seconds"
taken=$((taken + $(<"$out/seconds")))
echo "$taken" >"$out/seconds"

# shellcheck disable=SC2086  # lists
python3 - "$out" "$table" "$taken" "$examples" "$epsilons" <<'PY'
import datetime, glob, json, os, statistics, sys

out, table, taken, examples, epsilons = sys.argv[1:]
taken = float(taken)


def figure(record):
    """What the task is judged by: perplexity, entity F1 or accuracy; the last two in per cent."""
    if record.get("perplexity"):
        return record["perplexity"]
    entities = record.get("entities", {}).get("micro", {}).get("f1")
    return 100 * (entities or record.get("entity_f1") or record["accuracy"])


def cell(figures, unit):
    """The median as people read it, and how far they spread."""
    text = f"{statistics.median(figures):.1f}{unit}"
    if len(figures) > 1:
        text += f" ({min(figures):.1f} to {max(figures):.1f})"
    return text


def read(pattern):
    """The figures, worst first, and their unit."""
    records = []
    for file in sorted(glob.glob(pattern)):
        with open(file, encoding="utf-8") as text:
            record = json.load(text)
        records.append(record.get("evaluation", record))
    less_is_better = any(r.get("perplexity") for r in records)
    return sorted(map(figure, records), reverse=less_is_better), "" if less_is_better else " %"


def row(example, epsilon):
    here = os.path.join(out, example, epsilon)
    (together, unit), (alone, _) = read(f"{here}/federation-*.json"), read(f"{here}/alone-*.json")
    if not together:
        return f"| {epsilon} | not run | | | |"
    if not alone:
        return f"| {epsilon} | {cell(together, unit)} | not run | | |"
    shown = [cell([f], unit) for f in (statistics.median(alone), alone[-1], alone[0])]
    return f"| {epsilon} | {cell(together, unit)} | " + " | ".join(shown) + " |"


lines = []
for example in examples.split():
    lines += [f"**{example}**", "", "| epsilon | federation | alone: median | best | worst |", "|---|---|---|---|---|"]
    lines += [row(example, epsilon) for epsilon in epsilons.split()]
    lines.append("")
with open("/proc/cpuinfo", encoding="utf-8") as info:
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), "unknown processor")
lines.append(f"Measured {datetime.date.today()} on {os.cpu_count()} cores of a {model}" +
             (f", {taken / 60:.0f} minutes in all." if taken >= 30 else "."))
text = "\n".join(lines) + "\n"
if not table:
    print(text, end="")
    sys.exit()
BEGIN, END = "<!-- epsilon_table: begin -->\n", "<!-- epsilon_table: end -->\n"
with open(table, encoding="utf-8") as document:
    before, rest = document.read().split(BEGIN)
_, after = rest.split(END)
with open(table, "w", encoding="utf-8") as document:
    document.write(before + BEGIN + text + END + after)
PY
