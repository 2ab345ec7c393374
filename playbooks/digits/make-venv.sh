#!/bin/sh
# Makes a Python environment with scikit-learn and matplotlib where there is none, and prints its path last.
#
# It stands below the login home that the system knows, not below $HOME: on a machine of its own that is the same, and
# workers that share one machine share one environment. The lock lets one of them make it while the others wait.
set -eu

home="$(getent passwd "$(id -u)" | cut -d: -f6)"
cache="${home:-$HOME}/.cache/dayfly"
venv="$cache/digits-venv-1"
mkdir -p "$cache"

exec 9>"$venv.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" || {
        echo "python3 cannot make a virtual environment here: install python3 and python3-venv" >&2
        exit 1
    }
    HOME="${home:-$HOME}" "$venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn matplotlib
    touch "$venv/complete"
fi
echo "$venv"
