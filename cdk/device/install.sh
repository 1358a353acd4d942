# Makes an AWS IoT Greengrass core device of this machine (Ubuntu 22.04 or 24.04), as root; a second run changes
# nothing. Expects THING, GROUP, POLICY, ROLE_ALIAS, AWS_REGION and NUCLEUS, and short-lived AWS credentials in the
# environment: they are used for the registration, are written nowhere, and are not needed afterwards.
set -euo pipefail
: "${THING:?}" "${GROUP:?}" "${POLICY:?}" "${ROLE_ALIAS:?}" "${AWS_REGION:?}" "${NUCLEUS:?}"
ROOT="${GREENGRASS_ROOT:-/greengrass/v2}"
export AWS_DEFAULT_REGION="$AWS_REGION"

say() { printf '%s\n' "edge: $*"; }

packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq default-jre-headless python3 python3-venv python3-boto3 curl unzip openssl >/dev/null
}

users() {
  getent group ggc_group >/dev/null || groupadd --system ggc_group
  id ggc_user >/dev/null 2>&1 || useradd --system --create-home --gid ggc_group ggc_user
}

register() {
  install -d -m 0755 "$ROOT"
  umask 077
  if [ ! -f "$ROOT/device.pem.crt" ]; then
    # The private key is made here and never leaves this machine.
    openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$THING" \
      -keyout "$ROOT/private.pem.key" -out "$ROOT/device.csr" 2>/dev/null
    python3 - "$ROOT" "$THING" "$GROUP" "$POLICY" <<'PYTHON'
import sys
from pathlib import Path

import boto3

root, thing, group, policy = Path(sys.argv[1]), *sys.argv[2:]
iot = boto3.client("iot")
request = (root / "device.csr").read_text()
made = iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
iot.attach_policy(policyName=policy, target=made["certificateArn"])
iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
iot.add_thing_to_thing_group(thingGroupName=group, thingName=thing)
data = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
credentials = iot.describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
(root / "endpoints").write_text(f"DATA={data}\nCREDENTIALS={credentials}\n")
(root / "device.pem.crt").write_text(made["certificatePem"])  # last: its presence says that all is done
PYTHON
    rm "$ROOT/device.csr"
    say "registered as $THING"
  fi
  curl -fsS -o "$ROOT/AmazonRootCA1.pem" https://www.amazontrust.com/repository/AmazonRootCA1.pem
}

configure() {
  . "$ROOT/endpoints"
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
YAML
}

nucleus() {
  local folder
  folder="$(mktemp -d)"
  curl -fsS -o "$folder/nucleus.zip" "https://d2s8p88vqu9w66.cloudfront.net/releases/greengrass-$NUCLEUS.zip"
  unzip -q "$folder/nucleus.zip" -d "$folder/nucleus"
  umask 022
  java -Droot="$ROOT" -Dlog.store=FILE -jar "$folder/nucleus/lib/Greengrass.jar" --init-config "$ROOT/install.yaml" \
    --component-default-user ggc_user:ggc_group --setup-system-service true
  rm -r "$folder"
}

if systemctl is-active --quiet greengrass; then
  say "already installed"
  exit 0
fi
packages
users
register
configure
nucleus
say "installed; the component comes with the deployment to $GROUP in a few minutes"
