#!/usr/bin/env bash
# Usage: scripts/install.sh [EXTRAS]
# Installs this checkout, editable, into .venv (or $VENV) with the versions of constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
target=.${1:+[$1]}

find_python() {
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "error: unmask needs Python 3.11 or newer, and none was found" >&2
  return 1
}

if [ ! -x "$venv/bin/python" ]; then
  if command -v uv >/dev/null; then
    uv venv --quiet --allow-existing --python "$(find_python 2>/dev/null || echo 3.11)" "$venv"
  else
    python=$(find_python)
    "$python" -m venv "$venv" || {
      echo "error: this Python cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2
      exit 1
    }
  fi
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
  uv=$venv/bin/uv
fi
"$uv" pip install --quiet --python "$venv/bin/python" -c constraints.txt -e "$target"
