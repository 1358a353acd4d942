# Is this AWS account ready for the stack? Reads only, with the AWS command line.
# Expects what `cdk.doctor` exports; IMPORTS is 0 without HealthImaging.
if account="$(aws sts get-caller-identity --query Account --output text 2>/dev/null)"; then
  ok credentials "account $account"
else
  fail credentials "none that AWS accepts"
  verdict
fi

output() {
  aws cloudformation describe-stacks --stack-name "$1" \
    --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue | [0]" --output text 2>/dev/null
}
# Is the first at least the second? Quotas have decimals, and None is no number.
at_least() { awk -v found="$1" -v wanted="$2" 'BEGIN { exit !(found + 0 >= wanted + 0) }'; }
# Names are AWS's; codes differ by region and are not relied on.
quota() {
  aws service-quotas list-service-quotas --service-code "$1" --query "Quotas[?$2].Value | [0]" --output text 2>/dev/null
}

version="$(output CDKToolkit BootstrapVersion)"
if ! [[ "$version" =~ ^[0-9]+$ ]]; then
  fail bootstrap "$PYTHON -m cdk.cli bootstrap aws://$account/$AWS_REGION"
elif [ "$version" -lt "$BOOTSTRAP" ]; then
  fail bootstrap "version $version, $BOOTSTRAP is needed: $PYTHON -m cdk.cli bootstrap aws://$account/$AWS_REGION"
else
  ok bootstrap "version $version"
fi

concurrent="$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text 2>/dev/null)"
# Lambda keeps 100 that no function may reserve.
wanted=$((RESERVED + 100))
if at_least "$concurrent" "$wanted"; then
  ok lambda "$concurrent concurrent executions"
elif [ "$RESERVED" -gt 0 ]; then
  fail lambda "$concurrent concurrent executions, lambda_reservations needs $wanted: switch it off, or ask for more"
elif at_least "$concurrent" 10; then
  warn lambda "$concurrent concurrent executions: slow, not wrong; keep lambda_reservations off, ask for 1,000"
else
  fail lambda "concurrent executions: ${concurrent:-unknown}"
fi

transitions="$(quota states "contains(QuotaName, 'tateTransition') && contains(QuotaName, 'efill')")"
wanted="$(awk -v rate="$START_RATE" -v each="$PER_SERIES" 'BEGIN { print each * rate }')"
if ! at_least "$transitions" 0.001; then
  warn workflow "quota of state transitions unknown; $wanted a second are needed"
elif at_least "$transitions" "$wanted"; then
  ok workflow "${transitions%.0} state transitions a second allowed, $wanted needed"
else
  warn workflow "${transitions%.0} state transitions a second allowed, $wanted needed at start_rate $START_RATE"
fi

if [ "$IMPORTS" -gt 0 ]; then
  if stores="$(aws medical-imaging list-datastores \
    --query "datastoreSummaries[?datastoreName=='$STACK'].datastoreId" --output text 2>/dev/null)"; then
    ok healthimaging "answers in $AWS_REGION"
    kept="$(output "$STACK" DataStore)"
    others="$(tr '\t ' '\n\n' <<<"$stores" | grep -vxE "$kept|None|" | paste -sd ' ')"
    if [ -n "$others" ]; then
      warn datastore "$others is named $STACK, too, and stays as it is: a deployment makes a data store of its own"
    else
      ok datastore "no other is named $STACK"
    fi
  else
    fail healthimaging "no answer in $AWS_REGION: another region, or ahli_enabled: false"
  fi

  found="$(quota medical-imaging "contains(QuotaName, 'oncurrent') && contains(QuotaName, 'import')")"
  if ! at_least "$found" 1; then
    warn imports "quota of concurrent imports unknown; ahli_concurrent_imports is $IMPORTS"
  elif at_least "$found" "$IMPORTS"; then
    ok imports "${found%.0} concurrent imports allowed, $IMPORTS configured"
  else
    fail imports "${found%.0} concurrent imports allowed, ahli_concurrent_imports is $IMPORTS"
  fi
  found="$(quota medical-imaging "contains(QuotaName, 'StartDICOMImportJob')")"
  if ! at_least "$found" 0.001; then
    warn starts "quota of starts unknown; start_rate is $START_RATE a second"
  elif at_least "$found" "$START_RATE"; then
    ok starts "${found%.0} a second allowed, $START_RATE configured"
  else
    fail starts "${found%.0} a second allowed, start_rate is $START_RATE"
  fi
fi

# The first two by name, as the CDK takes them, where config.yaml names none.
zones="${ZONES:-$(aws ec2 describe-availability-zones --filters Name=zone-type,Values=availability-zone \
  Name=state,Values=available --query 'AvailabilityZones[].ZoneName' --output text 2>/dev/null |
  tr '\t' '\n' | sort | head -n 2 | paste -sd ' ')}"
for endpoint in $ENDPOINTS; do
  offered="$(aws ec2 describe-vpc-endpoint-services --service-names "com.amazonaws.$AWS_REGION.$endpoint" \
    --query 'ServiceDetails[0].AvailabilityZones' --output text 2>/dev/null | tr '\t' '\n')"
  shared="$(grep -xF -f <(tr ' ' '\n' <<<"$zones") <<<"$offered" | paste -sd ' ')"
  if [ -z "$offered" ]; then
    fail zones "no endpoint for $endpoint is known in $AWS_REGION"
  elif [ -z "$shared" ]; then
    fail zones "$endpoint has no endpoint in $zones; set availability_zones to two with one of: $(paste -sd ' ' <<<"$offered")"
  else
    ok zones "$endpoint in $shared"
  fi
done

vpcs="$(aws ec2 describe-vpcs --query 'length(Vpcs)' --output text 2>/dev/null)"
if [ "${vpcs:-9}" -lt 5 ]; then
  ok vpc "$vpcs VPCs of 5"
else
  warn vpc "${vpcs:-?} VPCs: the default quota is 5 a region"
fi
verdict
