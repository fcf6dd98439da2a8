#!/usr/bin/env bash
# Real object stores on 127.0.0.1 for the tests: Azurite for Azure Blob, moto for S3, and s3rver as a store that loses
# commits. Usage: `tests/servers.sh COMMAND…` runs a command with their addresses in its environment and stops them
# afterwards. What cannot be installed or started is told as SKIPPED, and the tests that want it say so too.
set -uo pipefail

cache="${XDG_CACHE_HOME:-$HOME/.cache}/adolake/stores"
logs=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$logs"' EXIT

skipped() {
    echo "SKIPPED: no tests against $1: $2"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Waits until something answers on a port, as long as the process that should is alive.
answers() {
    local port=$1 pid=$2
    for _ in $(seq 300); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# Puts a container into the Azurite of an address: a request signed with the account's well-known key.
make_container() {
    python3 - "$1" "$2" <<'PYTHON'
import base64, email.utils, hashlib, hmac, http.client, ssl, sys, urllib.parse
address, container = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2]
account = "devstoreaccount1"
key = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")
headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
text = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in headers.items())
text += f"/{account}/{account}/{container}\nrestype:container"
signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()
if address.scheme == "https":
    # Its certificate was made a moment ago, for nobody else.
    context = ssl._create_unverified_context()
    link = http.client.HTTPSConnection(address.netloc, timeout=10, context=context)
else:
    link = http.client.HTTPConnection(address.netloc, timeout=10)
headers["Authorization"] = f"SharedKey {account}:{signature}"
link.request("PUT", f"/{account}/{container}?restype=container", headers=headers)
sys.exit(link.getresponse().status != 201)
PYTHON
}

# Starts Azurite at a port; its address with this scheme goes into a variable. Further arguments go to it.
azurite() {
    local variable=$1 scheme=$2 port=$3
    local address="$scheme://127.0.0.1:$port/devstoreaccount1" log="$logs/azurite-$scheme"
    shift 3
    "$cache/node/node_modules/.bin/azurite-blob" --silent --inMemoryPersistence --blobHost 127.0.0.1 --blobPort "$port" \
        --disableTelemetry --skipApiVersionCheck "$@" >"$log" 2>&1 &
    pids+=($!)
    if answers "$port" $! && make_container "$address" lake; then
        export "$variable=$address"
    else
        skipped "Azurite by $scheme" "it does not start: $(tail -n 1 "$log")"
    fi
}

start_azurite() {
    # DuckDB's delta extension looks for it at its usual port only.
    local port=10000
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && port=$(free_port)
    azurite ADOLAKE_AZURITE http "$port"
    # Tokens are taken over TLS only.
    if ! command -v openssl >/dev/null; then
        skipped "Azurite with tokens" "there is no openssl to make a certificate"
    elif ! openssl req -x509 -newkey rsa:2048 -nodes -keyout "$logs/key.pem" -out "$logs/certificate.pem" -days 2 \
        -subj /CN=127.0.0.1 -addext "subjectAltName=IP:127.0.0.1" 2>"$logs/openssl"; then
        skipped "Azurite with tokens" "openssl makes no certificate: $(tail -n 1 "$logs/openssl")"
    else
        azurite ADOLAKE_AZURITE_TLS https "$(free_port)" --oauth basic --cert "$logs/certificate.pem" --key "$logs/key.pem"
    fi
}

start_s3rver() {
    local port
    port=$(free_port)
    "$cache/node/node_modules/.bin/s3rver" --directory "$logs/s3rver-data" --address 127.0.0.1 --port "$port" --silent \
        --configure-bucket lake >"$logs/s3rver" 2>&1 &
    pids+=($!)
    if answers "$port" $!; then
        export ADOLAKE_S3RVER="http://127.0.0.1:$port"
    else
        skipped s3rver "it does not start: $(tail -n 1 "$logs/s3rver")"
    fi
}

start_moto() {
    local port
    port=$(free_port)
    "$cache/moto/bin/moto_server" -H 127.0.0.1 -p "$port" >"$logs/moto" 2>&1 &
    pids+=($!)
    if answers "$port" $! && python3 -c "
import http.client
link = http.client.HTTPConnection('127.0.0.1', $port, timeout=10)
link.request('PUT', '/lake')
raise SystemExit(link.getresponse().status != 200)"; then
        export ADOLAKE_MOTO="http://127.0.0.1:$port"
    else
        skipped moto "it does not start: $(tail -n 1 "$logs/moto")"
    fi
}

mkdir -p "$cache"
if ! command -v python3 >/dev/null; then
    skipped "any store" "there is no python3"
else
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        skipped "Azurite and s3rver" "there is no node with npm"
    elif [[ ! -x "$cache/node/node_modules/.bin/azurite-blob" || ! -x "$cache/node/node_modules/.bin/s3rver" ]] \
        && ! npm install --prefix "$cache/node" --no-audit --no-fund --ignore-scripts \
            azurite@3.37.0 s3rver@3.7.1 >"$logs/npm" 2>&1; then
        skipped "Azurite and s3rver" "npm cannot install them: $(tail -n 1 "$logs/npm")"
    else
        start_azurite
        start_s3rver
    fi
    if [[ ! -x "$cache/moto/bin/moto_server" ]] && ! {
        python3 -m venv "$cache/moto" \
            && "$cache/moto/bin/python" -m pip install --quiet --disable-pip-version-check 'moto[s3]==5.2.5' flask flask-cors
    } >"$logs/pip" 2>&1; then
        skipped moto "pip cannot install it: $(tail -n 1 "$logs/pip")"
    else
        start_moto
    fi
fi

"$@"
