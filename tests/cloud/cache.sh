# Where the pocket cloud keeps what it downloads and builds; sourced by base.sh, start and .ci/install.
# The names carry a hash of what the content comes from, so a change makes a new one and leaves the old alone.
cloud="$(cd "$(dirname "$0")" && while [ ! -e tests/cloud/cache.sh ]; do cd ..; done && pwd)/tests/cloud"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/dayfly"
venv="$cache/pocket-venv-$(sha256sum "$cloud/requirements.txt" | cut -c 1-12)"
base="$cache/pocket-base-$(cat "$cloud/base.sh" "$cloud/image.txt" | sha256sum | cut -c 1-12)"
