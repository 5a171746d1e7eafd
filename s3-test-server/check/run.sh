#!/usr/bin/env bash
# Checks the server with boto3, a client that is not of this project, over http (payloads signed) and https (payloads
# in chunks, checksums in trailers). Needs Rust and Python 3 with venv.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
venv=$target/s3-check-venv
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check boto3==1.40.0 botocore==1.40.0
cargo build --quiet -p s3-test-server --features tls --example serve

server=
trap '[ -z "$server" ] || kill "$server"' EXIT
check() {
    exec 3< <(exec "$target/debug/examples/serve" 0 check-key check-secret 2>"$target/s3-check.log")
    server=$!
    read -r endpoint <&3
    "$venv/bin/python" s3-test-server/check/boto3_check.py "$endpoint" check-key check-secret
    kill "$server"
    server=
}

check
export CERTIFICATE=$target/s3-check.pem AWS_CA_BUNDLE=$target/s3-check.pem SSL_CERT_FILE=$target/s3-check.pem
check
