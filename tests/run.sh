#!/usr/bin/env bash
# The whole test suite: format, lints, docs, tests. Takes arguments for `cargo test`, e.g. `tests/run.sh cli::`.
# `tests/servers.sh` installs and starts the object stores that some tests want, on 127.0.0.1. Set ADOLAKE_PYTHON to a
# Python with the packages that `.ci/run` names to have other engines read the lake too, and ADOLAKE_VALIDATORS to one
# with those to have validators take the reports.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() {
    printf '== %s\n' "$*"
    "$@"
}

step cargo fmt --check
step cargo clippy --locked --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --no-deps --quiet
if [[ -z "${ADOLAKE_PYTHON:-}" ]]; then
    echo "SKIPPED: other engines do not read the lake: ADOLAKE_PYTHON is not set"
fi
if [[ -z "${ADOLAKE_VALIDATORS:-}" ]]; then
    echo "SKIPPED: no validator takes the reports: ADOLAKE_VALIDATORS is not set"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
INSTA_UPDATE=no step tests/servers.sh cargo test --locked -- "$@" 2>&1 | tee "$log" || status=$?
echo "== summary"
grep -E '^test .* FAILED$' "$log" || true
grep -E '^test result: ' "$log" || true
exit "$status"
