# Is this device fit to be an edge? Changes nothing. Expects AWS_REGION; ROOT and PORTS may be set.
ROOT="${ROOT:-/greengrass}"
PORTS="${PORTS:-11112 2762 8042}"
MINIMUM_GIB="${MINIMUM_GIB:-20}"

. /etc/os-release 2>/dev/null
case "${ID:-} ${VERSION_ID:-}" in
  "ubuntu 22.04" | "ubuntu 24.04") ok system "$PRETTY_NAME" ;;
  *) warn system "${PRETTY_NAME:-unknown}: Ubuntu 22.04 and 24.04 are what the installation is written for" ;;
esac

if [ "$(timedatectl show --property NTPSynchronized --value 2>/dev/null)" = yes ]; then
  ok time "synchronised"
else
  fail time "not synchronised: AWS refuses signatures more than five minutes off; timedatectl set-ntp true"
fi

version="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))' 2>/dev/null)"
if [ $? -eq 0 ] && [ -n "$version" ]; then ok python "$version"; else fail python "${version:-none}: 3.10 or newer is needed"; fi
if python3 -c 'import ensurepip, venv' 2>/dev/null; then ok venv "present"; else fail venv "apt-get install python3-venv"; fi

place="$ROOT"
while [ ! -d "$place" ]; do place="$(dirname "$place")"; done
free="$(($(df --output=avail -k "$place" | tail -1) / 1024 / 1024))"
if [ "$free" -ge "$MINIMUM_GIB" ]; then
  ok disk "$free GiB free for the spool in $place"
else
  fail disk "$free GiB free in $place: $MINIMUM_GIB GiB at least, a day of the department's images at best"
fi
device="$(findmnt -no SOURCE --target "$place")"
if lsblk -sno TYPE "$device" 2>/dev/null | grep -q crypt; then
  ok encryption "$device is encrypted"
else
  warn encryption "$device: no dm-crypt seen; use LUKS, a self-encrypting disk or an encrypted volume"
fi
if lsblk -sno TYPE "$device" 2>/dev/null | grep -q raid; then
  ok mirror "$device is mirrored"
else
  warn mirror "$device: no software RAID seen; until S3 has an image, this disk holds the only copy"
fi

for port in $PORTS; do
  if python3 -c "import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', $port))" 2>/dev/null; then
    ok "port $port" "free"
  elif systemctl is-active --quiet greengrass 2>/dev/null; then
    ok "port $port" "taken, and Greengrass runs"
  else
    fail "port $port" "taken by another program"
  fi
done

for host in s3 events greengrass-ats.iot iot sts logs; do
  name="$host.$AWS_REGION.amazonaws.com"
  if curl --silent --output /dev/null --connect-timeout 5 "https://$name/"; then
    ok reach "$name"
  else
    fail reach "$name: no HTTPS connection; proxy, firewall or DNS"
  fi
done
verdict
