#!/usr/bin/env bash
# The whole test suite: format, lints, docs, tests. Takes arguments for `cargo test`, e.g. `tests/run.sh cli::`.
# `tests/python.sh` installs the engines and validators and `tests/servers.sh` the object stores that some tests want,
# below ~/.cache/adolake; the servers run on 127.0.0.1 and only as long as the tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() {
    printf '== %s\n' "$*"
    "$@"
}

step cargo fmt --check
step cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --no-deps --quiet
# shellcheck source=tests/python.sh
source tests/python.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
INSTA_UPDATE=no step tests/servers.sh cargo test --locked -- "$@" 2>&1 | tee "$log" || status=$?
echo "== summary"
grep -E '^test .* FAILED$' "$log" || true
grep -E '^test result: ' "$log" || true
exit "$status"
