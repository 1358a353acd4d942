# Makes an edge of this machine without Greengrass: a systemd service, as root. Run again, with the same script or a
# newer one, it upgrades; with --remove it takes all away but the spool. Expects RELEASE, STACK_YAML, AWS_REGION and
# UNIT; AWS_CONF and PROXY may be set. The edge's code and wheels follow the last line: nothing is downloaded.
set -euo pipefail
: "${RELEASE:?}" "${STACK_YAML:?}" "${AWS_REGION:?}" "${UNIT:?}"
SELF="$0"
PREFIX="${PREFIX:-}"
CODE="$PREFIX/opt/dicom-edge"
SETTINGS="$PREFIX/etc/dicom-edge"
SPOOL="$PREFIX/var/lib/dicom-edge"
SERVICE="$PREFIX/etc/systemd/system/dicom-edge.service"

# Only the service may read it, and it is never half written.
put() {
  printf '%s\n' "$2" >"$1.new"
  chgrp dicom-edge "$1.new"
  chmod 0640 "$1.new"
  mv "$1.new" "$1"
}

python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages python3 python3-venv
  python3 -c "import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit(1)" ||
    fail "Python 3.10 to 3.13 is needed, not $(python3 -V)"
}

release() {
  local target="$CODE/releases/$RELEASE" start site
  if [ ! -f "$target/installed" ]; then
    rm -rf "$target"
    install -d -m 0755 "$target"
    start="$(grep -an -m 1 '^# payload$' "$SELF" | cut -d: -f1)"
    tail -n "+$((start + 1))" "$SELF" | tar -xz --no-same-owner -C "$target"
    python3 -m venv "$target/venv"
    "$target/venv/bin/python" -m pip install --quiet --no-index --find-links "$target/wheels" \
      --requirement "$target/wheels/requirements.txt"
    site="$("$target/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    printf '%s\n' "$target" >"$site/edge.pth"
    sync
    touch "$target/installed"
  fi
  ln -sfn "releases/$RELEASE" "$CODE/current.new"
  mv -T "$CODE/current.new" "$CODE/current"
}

settings() {
  install -d -m 0750 "$SETTINGS"
  chgrp dicom-edge "$SETTINGS"
  put "$SETTINGS/stack.yaml" "$STACK_YAML"
  local environment="AWS_DEFAULT_REGION=$AWS_REGION"
  [ -z "${PROXY:-}" ] || environment="$environment
HTTP_PROXY=$PROXY
HTTPS_PROXY=$PROXY
NO_PROXY=localhost,127.0.0.1"
  put "$SETTINGS/stack.env" "$environment"
  [ -z "${AWS_CONF:-}" ] || put "$SETTINGS/aws.conf" "$AWS_CONF"
  [ -f "$SETTINGS/edge.env" ] ||
    put "$SETTINGS/edge.env" "# This device's own settings, such as EDGE_DICOM_PORT=104. An upgrade leaves this file alone."
}

service() {
  install -d -m 0755 "${SERVICE%/*}"
  printf '%s\n' "$UNIT" >"$SERVICE.new"
  mv "$SERVICE.new" "$SERVICE"
  systemctl daemon-reload
  systemctl enable --quiet dicom-edge
  systemctl restart dicom-edge
}

# The release before this one stays: `ln -sfn releases/NAME /opt/dicom-edge/current` goes back to it.
tidy() {
  local release
  for release in $(ls -1t "$CODE/releases" | grep -vxF "$RELEASE" | tail -n +2); do rm -rf "$CODE/releases/$release"; done
}

main() {
  behind_proxy
  python
  user dicom-edge dicom-edge --no-create-home --home-dir /var/lib/dicom-edge --shell /usr/sbin/nologin
  release
  settings
  service
  tidy
  say "release $RELEASE runs as the service dicom-edge"
  [ -f "$SETTINGS/aws.conf" ] || [ -f "$SETTINGS/credentials" ] ||
    say "no credentials yet: write $SETTINGS/aws.conf, the edge finds it; until then it receives and keeps"
}

remove() {
  systemctl disable --now --quiet dicom-edge || true
  rm -rf "$SERVICE" "$CODE" "$SETTINGS"
  systemctl daemon-reload
  say "removed; $SPOOL is kept: it may hold images that are nowhere else"
}

case "${1:-}" in
  "") main </dev/null ;;
  --remove) remove ;;
  *) fail "bash ${SELF##*/} [--remove]" ;;
esac
exit 0
# payload
