# Makes an AWS IoT Greengrass core device of this machine (Ubuntu 22.04 or 24.04), as root. A second run changes
# nothing, and one that broke off is continued. Expects THING, GROUP, POLICY, ROLE_ALIAS, AWS_REGION, NUCLEUS and
# NUCLEUS_SHA256; PROXY may be set. Short-lived AWS credentials are taken from the environment, or asked for: they
# are used for the registration, are written nowhere, and are not needed afterwards.
set -euo pipefail
: "${THING:?}" "${GROUP:?}" "${POLICY:?}" "${ROLE_ALIAS:?}" "${AWS_REGION:?}" "${NUCLEUS:?}" "${NUCLEUS_SHA256:?}"
ROOT="${GREENGRASS_ROOT:-/greengrass/v2}"
export AWS_DEFAULT_REGION="$AWS_REGION"

# A person at a terminal pastes the line of `aws sts assume-role`; -n, because a terminal's own line ends at 4,096.
credentials() {
  [ -t 0 ] && [ -z "${AWS_ACCESS_KEY_ID:-}" ] && [ ! -f "$ROOT/device.pem.crt" ] || return 0
  local line terminal
  terminal=$(stty -g)
  # shellcheck disable=SC2064 # what the terminal is now
  trap "stty $terminal" EXIT
  stty -echo -icanon # before the question: a quick hand's line is neither shown nor cut
  printf '%s' "edge: paste the line with the borrowed credentials (it is not shown): " >&2
  IFS= read -rs -n 20000 line
  stty "$terminal"; trap - EXIT
  printf '\n' >&2
  read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<<"$line"
  [ -n "$AWS_SESSION_TOKEN" ] || fail "three words are expected: access key id, secret access key, session token"
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
}

register() {
  install -d -m 0755 "$ROOT"
  umask 077
  if [ ! -f "$ROOT/device.pem.crt" ]; then
    # The private key is made here and never leaves this machine.
    if [ ! -f "$ROOT/private.pem.key" ]; then
      openssl genrsa -out "$ROOT/private.pem.key.new" 2048 2>/dev/null
      mv "$ROOT/private.pem.key.new" "$ROOT/private.pem.key"
    fi
    openssl req -new -key "$ROOT/private.pem.key" -subj "/CN=$THING" -out "$ROOT/device.csr"
    python3 - "$ROOT" "$THING" "$GROUP" "$POLICY" <<'PYTHON'
import json
import sys
from pathlib import Path

import boto3

sys.tracebacklimit = 0  # AWS's words are enough
root, thing, group, policy = Path(sys.argv[1]), *sys.argv[2:]
iot = boto3.client("iot")
made = root / "certificate.json"  # a run that broke off goes on with the certificate it has
if not made.exists():
    request = (root / "device.csr").read_text()
    answer = iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
    made.write_text(json.dumps({"arn": answer["certificateArn"], "pem": answer["certificatePem"]}))
certificate = json.loads(made.read_text())
iot.attach_policy(policyName=policy, target=certificate["arn"])
iot.attach_thing_principal(thingName=thing, principal=certificate["arn"])
iot.add_thing_to_thing_group(thingGroupName=group, thingName=thing)
data = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
credentials = iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
(root / "endpoints").write_text(f"DATA={data}\nCREDENTIALS={credentials}\n")
(root / "device.pem.crt.new").write_text(certificate["pem"])
(root / "device.pem.crt.new").rename(root / "device.pem.crt")  # last: its presence says that all is done
PYTHON
    rm "$ROOT/device.csr"
    say "registered as $THING"
  fi
  # Ubuntu brings the certificate of Amazon's root; the data plane, MQTT and the credentials are all signed below it.
  cp /usr/share/ca-certificates/mozilla/Amazon_Root_CA_1.crt "$ROOT/AmazonRootCA1.pem"
}

configure() {
  . "$ROOT/endpoints"
  # Everything on 443: Greengrass would take 8443 and 8883, which hospital firewalls close.
  cat >"$ROOT/install.yaml" <<YAML
system:
  rootpath: "$ROOT"
  thingName: "$THING"
  certificateFilePath: "$ROOT/device.pem.crt"
  privateKeyPath: "$ROOT/private.pem.key"
  rootCaPath: "$ROOT/AmazonRootCA1.pem"
services:
  aws.greengrass.Nucleus:
    componentType: "NUCLEUS"
    version: "$NUCLEUS"
    configuration:
      awsRegion: "$AWS_REGION"
      iotRoleAlias: "$ROLE_ALIAS"
      iotDataEndpoint: "$DATA"
      iotCredEndpoint: "$CREDENTIALS"
      interpolateComponentConfiguration: true
      greengrassDataPlanePort: 443
      s3EndpointType: "REGIONAL"
      mqtt:
        port: 443
YAML
  [ -z "${PROXY:-}" ] || printf '      networkProxy:\n        proxy:\n          url: "%s"\n' "$PROXY" >>"$ROOT/install.yaml"
}

nucleus() {
  local folder
  folder="$(mktemp -d)"
  curl -fsS --retry 5 -o "$folder/nucleus.zip" \
    "https://d2s8p88vqu9w66.cloudfront.net/releases/greengrass-$NUCLEUS.zip"
  printf '%s  %s\n' "$NUCLEUS_SHA256" "$folder/nucleus.zip" | sha256sum --check --status ||
    fail "what was downloaded is not Greengrass $NUCLEUS: its SHA-256 differs"
  unzip -q "$folder/nucleus.zip" -d "$folder/nucleus"
  umask 022
  java -Droot="$ROOT" -Dlog.store=FILE -jar "$folder/nucleus/lib/Greengrass.jar" --init-config "$ROOT/install.yaml" \
    --component-default-user ggc_user:ggc_group --setup-system-service true
  rm -r "$folder"
}

main() {
  behind_proxy
  packages default-jre-headless python3 python3-venv python3-boto3 ca-certificates curl unzip openssl sudo
  user ggc_user ggc_group --create-home
  register
  configure
  nucleus
  say "installed; the component comes with the deployment to $GROUP in a few minutes"
}

if systemctl is-enabled --quiet greengrass 2>/dev/null; then
  say "already installed"
  exit 0
fi
credentials
main </dev/null # what main starts must not read the rest of this script
