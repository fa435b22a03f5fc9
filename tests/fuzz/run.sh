#!/usr/bin/env bash
# Fuzzes each target for so many seconds: tests/fuzz/run.sh 1800 [TARGET...]. Needs `cargo install cargo-fuzz`, a nightly toolchain
# and unzip. Inputs that were kept, and what was found, are under target/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' tests/fuzz/Cargo.toml | tail -n +2)

# Each first byte of `rows` and `tsv` picks what the rest is read as.
picked() { printf "\\x$1"; cat; }

for target in "${targets[@]}"; do
  seeds=target/fuzz/seeds/$target corpus=target/fuzz/corpus/$target found=target/fuzz/found/$target
  mkdir -p "$seeds" "$corpus" "$found"
  more=()
  case $target in
    tsv) i=0
         for folder in CoLA QNLI SST-2 MNLI QQP RTE MRPC STS-B; do
           head -n 4 "assets/glue-sample/$folder/dev.tsv" | picked 0$i > "$seeds/$folder"
           i=$((i + 1))
         done ;;
    task) cp src/task/task-example.toml "$seeds"
          printf 'text="a"\nlabel="b"\nscore={low=-1,high=2.5}\ntrain=["x.csv"]\nvalidation="v.csv"\n' > "$seeds/score"
          # A task's names live as long as the process.
          export ASAN_OPTIONS=detect_leaks=0
          more=(-rss_limit_mb=8192) ;;
    safetensors) find tests/fixtures -name '*.safetensors' -size -9k -exec cp {} "$seeds" \; ;;
    torch) cp tests/fixtures/adapters/*.bin "$seeds"
           for file in "$seeds"/*.bin; do
             unzip -p "$file" '*/data.pkl' > "$file.pkl" 2>/dev/null || rm -f "$file.pkl"
           done ;;
    filter) printf 'task:cola tag:base lr>=1e-3 -status:failed | is:archived "two words"' > "$seeds/readme" ;;
    rows) printf '\x02text,label,"two, words"\r\na,1,"line\nbreak"\n"b ""c""",0,\n' | picked 00 > "$seeds/csv"
          printf '\x01text\tlabel\n"a\tb"\t1\nc\t0\n' | picked 01 > "$seeds/tsv"
          printf '\x02{"text": "a\\u00e9", "label": 1, "x": 1e-3}\n{"x": null, "label": true, "text": ""}\n' | picked 02 > "$seeds/jsonl" ;;
    events) find tests/fixtures/trackers -name '*tfevents*' -size -9k -exec cp {} "$seeds" \;
            # What their second record says, without its frame.
            for file in "$seeds"/*tfevents*; do
              first=$(od -An -tu8 -N8 "$file") && second=$(od -An -tu8 -j $((first + 16)) -N8 "$file")
              tail -c +$((first + 29)) "$file" | head -c $((second)) > "$file.record"
            done ;;
  esac
  cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz "$target" "$corpus" "$seeds" -- \
    -artifact_prefix="$found/" -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=10 \
    -print_final_stats=1 "${more[@]}"
done
