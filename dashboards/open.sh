#!/usr/bin/env bash
# `make dashboards`: Apache Superset on the mart, in a virtual environment of its own (it asks for an older SQLAlchemy than
# ours). It reads as ecg_analyst, answers on loopback alone, and keeps what is its own in the home folder. Ctrl-C stops it.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
DASHBOARDS_HOME=$(.venv/bin/python -c 'from ecg_core.settings import load_settings; print(load_settings().home / "superset")')
export DASHBOARDS_HOME SUPERSET_CONFIG_PATH=$PWD/dashboards/superset_config.py FLASK_APP=superset PYTHONWARNINGS=ignore
mkdir -p "$DASHBOARDS_HOME"
venv=$DASHBOARDS_HOME/venv port=${1:-8088} log=$DASHBOARDS_HOME/log
made_of=$(cat dashboards/requirements.txt dashboards/superset_config.py $(find dashboards/files -type f | sort) | sha256sum)

DASHBOARDS_URL=${DASHBOARDS_URL:-$(.venv/bin/ecg db url)}
export DASHBOARDS_URL
if [ "$(cat "$DASHBOARDS_HOME/made_of" 2>/dev/null)" != "$made_of" ]; then
    echo "Setting Superset up (a few minutes, once); its log is $log"
    .venv/bin/uv venv --quiet --allow-existing --python .venv/bin/python "$venv"
    .venv/bin/uv pip install --quiet --python "$venv/bin/python" --requirement dashboards/requirements.txt
    for name in secret password; do
        [ -s "$DASHBOARDS_HOME/$name" ] || head -c 24 /dev/urandom | base64 | tr -d '/+=' > "$DASHBOARDS_HOME/$name"
    done
    {
        "$venv/bin/superset" db upgrade
        "$venv/bin/python" dashboards/sign_in.py
        "$venv/bin/superset" init
        "$venv/bin/superset" import-directory --overwrite --force dashboards/files
    } > "$log" 2>&1 || { tail -n 20 "$log"; echo "Superset was not set up: $log says why."; exit 1; }
    echo "$made_of" > "$DASHBOARDS_HOME/made_of"
fi
echo "Dashboards: http://127.0.0.1:$port/dashboard/list/  user admin, password $(cat "$DASHBOARDS_HOME/password")"
exec "$venv/bin/superset" run --host 127.0.0.1 --port "$port" --with-threads >> "$log" 2>&1
