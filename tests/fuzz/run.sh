#!/usr/bin/env bash
# Fuzzes each target for so many seconds: tests/fuzz/run.sh 1800 [TARGET...]. Needs `cargo install cargo-fuzz` and a nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' tests/fuzz/Cargo.toml | tail -n +2)
for target in "${targets[@]}"; do
  seeds=tests/fuzz/seeds/$target
  mkdir -p "tests/fuzz/corpus/$target" "$seeds"
  case $target in
    tsv) i=0; for folder in CoLA QNLI SST-2 MNLI QQP RTE MRPC STS-B; do
           { printf "\\x0$i"; head -n 4 "assets/glue-sample/$folder/dev.tsv"; } > "$seeds/$folder"; i=$((i + 1)); done ;;
    safetensors) find tests/fixtures -name '*.safetensors' -size -9k -exec cp {} "$seeds" \; ;;
    torch) cp tests/fixtures/adapters/*.bin "$seeds"
           for file in "$seeds"/*.bin; do unzip -p "$file" '*/data.pkl' > "$file.pkl" 2>/dev/null || rm "$file.pkl"; done ;;
    filter) printf 'task:cola tag:base lr>=1e-3 -status:failed | is:archived "two words"' > "$seeds/readme" ;;
  esac
  cargo +nightly fuzz run --fuzz-dir tests/fuzz "$target" "tests/fuzz/corpus/$target" "$seeds" -- \
    -max_total_time="$seconds" -rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=10 -print_final_stats=1
done
