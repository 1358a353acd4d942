# Takes a device out of AWS IoT: CloudFormation cannot delete a thing or a policy that a certificate is attached to.
remove_edge() {
  local thing="$1" principal certificate
  for principal in $(aws iot list-thing-principals --thing-name "$thing" --query 'principals[]' --output text); do
    certificate="${principal##*/}"
    aws iot detach-thing-principal --thing-name "$thing" --principal "$principal"
    aws iot detach-policy --policy-name "$thing-GG-Policy" --target "$principal"
    aws iot update-certificate --certificate-id "$certificate" --new-status INACTIVE
    aws iot delete-certificate --certificate-id "$certificate" --force-delete
    printf '%s\n' "edge: $thing has lost certificate $certificate"
  done
  if aws greengrassv2 get-core-device --core-device-thing-name "$thing" >/dev/null 2>&1; then
    aws greengrassv2 delete-core-device --core-device-thing-name "$thing"
  fi
}
