# Is this device fit to be an edge? Changes nothing. Expects AWS_REGION, PYTHONS (first and last)
# and URLS; PROXY, ROOT and PORTS may be set.
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

version="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
if [ -n "$version" ] && python3 - "$version" $PYTHONS <<'PYTHON'
import sys

number = [tuple(map(int, word.split("."))) for word in sys.argv[1:]]
sys.exit(not number[1] <= number[0] <= number[2])
PYTHON
then ok python "$version"; else fail python "${version:-none}: ${PYTHONS% *} to ${PYTHONS#* } is needed"; fi
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

if [ -n "${PROXY:-}" ]; then export http_proxy="$PROXY" https_proxy="$PROXY"; fi
# Ubuntu's mirrors are those that apt is set to.
mirrors="$(apt-get indextargets --format '$(SITE)' 2>/dev/null | grep '^http' | sort -u)"
for url in $(printf '%s\n' $URLS | grep -v '\.ubuntu\.com') $mirrors; do
  name="${url#*://}"
  case "$url" in *'*'*)
    warn reach "${name%/}: not tried, its name is not known here; run the doctor with credentials for the account"
    continue ;;
  esac
  curl --silent --output /dev/null --connect-timeout 5 --max-time 20 "$url"
  case $? in
    0) ok reach "${name%/}" ;;
    5) fail reach "${name%/}: the proxy's name is not found" ;;
    6) fail reach "${name%/}: the name is not found (DNS)" ;;
    7 | 28) fail reach "${name%/}: no connection; firewall or proxy" ;;
    35 | 60) fail reach "${name%/}: another certificate than AWS's; a proxy or firewall opens TLS" ;;
    56) fail reach "${name%/}: the proxy refuses it" ;;
    127) fail reach "curl is not installed" ;;
    *) fail reach "${name%/}: no answer" ;;
  esac
done
verdict
