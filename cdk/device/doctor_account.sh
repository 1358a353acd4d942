# Is this AWS account ready for the stack? Reads only, with the AWS command line. Expects AWS_REGION, IMPORTS, PYTHON.
if account="$(aws sts get-caller-identity --query Account --output text 2>/dev/null)"; then
  ok credentials "account $account"
else
  fail credentials "none that AWS accepts"
  verdict
fi

if aws cloudformation describe-stacks --stack-name CDKToolkit --query 'Stacks[0].StackName' --output text >/dev/null 2>&1; then
  ok bootstrap "CDKToolkit is there"
else
  fail bootstrap "$PYTHON -m cdk.cli bootstrap aws://$account/$AWS_REGION"
fi

if aws medical-imaging list-datastores --query 'datastoreSummaries[].datastoreId' --output text >/dev/null 2>&1; then
  ok healthimaging "answers in $AWS_REGION"
else
  fail healthimaging "no answer in $AWS_REGION: another region, or ahli_enabled: false"
fi

concurrent="$(aws lambda get-account-settings --query AccountLimit.ConcurrentExecutions --output text 2>/dev/null)"
if [ "${concurrent:-0}" -ge 100 ]; then
  ok lambda "$concurrent concurrent executions"
elif [ "${concurrent:-0}" -ge 10 ]; then
  warn lambda "$concurrent concurrent executions: slow, not wrong; keep lambda_reservations off, ask for 1,000"
else
  fail lambda "concurrent executions: ${concurrent:-unknown}"
fi

# Quota names are AWS's; codes differ by region and are not relied on.
quota="$(aws service-quotas list-service-quotas --service-code medical-imaging \
  --query "Quotas[?contains(QuotaName, 'oncurrent') && contains(QuotaName, 'import')].Value | [0]" --output text 2>/dev/null)"
case "$quota" in
  "" | None) warn imports "quota of concurrent imports unknown; ahli_concurrent_imports is $IMPORTS" ;;
  *)
    if [ "${quota%.*}" -ge "$IMPORTS" ]; then
      ok imports "${quota%.*} concurrent imports allowed, $IMPORTS configured"
    else
      fail imports "${quota%.*} concurrent imports allowed, ahli_concurrent_imports is $IMPORTS"
    fi
    ;;
esac

addresses="$(aws ec2 describe-vpcs --query 'length(Vpcs)' --output text 2>/dev/null)"
if [ "${addresses:-9}" -lt 5 ]; then
  ok vpc "$addresses VPCs of 5"
else
  warn vpc "${addresses:-?} VPCs: the default quota is 5 a region"
fi
verdict
