# What installing needs, with Greengrass or without.
say() { printf '%s\n' "edge: $*"; }
fail() {
  printf '%s\n' "edge: $*" >&2
  exit 1
}

# For curl and boto3; apt and the edge are told by their own settings.
behind_proxy() {
  [ -n "${PROXY:-}" ] || return 0
  export http_proxy="$PROXY" https_proxy="$PROXY" HTTP_PROXY="$PROXY" HTTPS_PROXY="$PROXY"
  export no_proxy=localhost,127.0.0.1,169.254.169.254 NO_PROXY=localhost,127.0.0.1,169.254.169.254
}

# At a first boot cloud-init and unattended upgrades hold apt's locks for minutes.
patiently() {
  local tries="${TRIES:-40}"
  until "$@"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "gave up: $*"
    sleep "${PAUSE:-15}"
  done
}

packages() {
  local proxy=()
  [ -z "${PROXY:-}" ] || proxy=(-o "Acquire::http::Proxy=$PROXY" -o "Acquire::https::Proxy=$PROXY")
  export DEBIAN_FRONTEND=noninteractive
  if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null || true; fi
  patiently apt-get "${proxy[@]}" -o DPkg::Lock::Timeout=600 update -qq
  patiently apt-get "${proxy[@]}" -o DPkg::Lock::Timeout=600 install -y -qq "$@" >/dev/null
}

# NAME GROUP, and what useradd is told.
user() {
  local name="$1" group="$2"
  shift 2
  getent group "$group" >/dev/null || groupadd --system "$group"
  id "$name" >/dev/null 2>&1 || useradd --system --gid "$group" "$@" "$name"
}
