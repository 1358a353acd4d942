"""`python -m cdk.policies --account A --region R --into FOLDER`: write the smallest policies for a deployer.

Run `make synth` first. What CloudFormation must be allowed follows from the template's types of resources and
from CloudFormation's own schemas. Each file is a policy of its own (IAM takes 6,144 characters):

* `bootstrap.json`: for `cdk bootstrap`, once.
* `cloudformation-N.json`: for the role that CloudFormation works with. Name it at `cdk bootstrap` with
  `--cloudformation-execution-policies`, in place of AdministratorAccess.
* `deployer.json`: for a person who deploys, installs edges, operates and cleans up.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from cdk.packaging.build import ROOT
from cdk.rights.deployer import deployer
from cdk.rights.statements import MAXIMUM, QUALIFIER, Policy, Statement, allow, parameter, policy

BOOTSTRAP_TYPES = (
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::ECR::Repository",
    "AWS::IAM::Role",
    "AWS::IAM::Policy",
    "AWS::SSM::Parameter",
)
"""Of the CDK's own stack, made without a customer key.

https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html
"""
OTHERS = re.compile(r"iam:\w*(User|Group)\w*")
"""In schemas that serve users and groups as well as roles."""
NOWHERE = ("iam:ListRoles",)
"""Of IAM, and not about one role."""
LINKED = "iam:CreateServiceLinkedRole"


def permissions(types: Iterable[str]) -> set[str]:
    """What CloudFormation calls to make, read, change and delete resources of these types.

    Only of services that the types belong to: schemas also name what comes with features of other services.
    """
    wanted = [kind for kind in types if kind.startswith("AWS::")]
    found: set[str] = set()
    for kind in wanted:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
        handlers = schema.get("handlers", {})
        for handler in ("create", "read", "update", "delete"):
            found |= set(handlers.get(handler, {}).get("permissions", []))
    served = {action.partition(":")[0] for kind in wanted for action in _own(kind)} | {"iam", "kms"}
    return {a for a in found if a.partition(":")[0] in served and not OTHERS.fullmatch(a)}


def _own(kind: str) -> Iterator[str]:
    """An action of the service that a type belongs to."""
    names = {
        "EC2": "ec2",
        "GreengrassV2": "greengrass",
        "HealthImaging": "medical-imaging",
        "StepFunctions": "states",
    }
    service = kind.split("::")[1]
    yield f"{names.get(service, service.lower())}:*"


def types_of(template: Path) -> list[str]:
    """The types of resources in a synthesised template."""
    body = json.loads(template.read_text(encoding="utf-8"))
    return sorted({resource["Type"] for resource in body["Resources"].values()})


def cloudformation(types: Sequence[str], stack: str, account: str, region: str) -> list[Policy]:
    """For the role that CloudFormation works with, in as many policies as it takes."""
    allowed = permissions(types) | {"lambda:InvokeFunction"}  # custom resources
    roles, rest = _split(allowed)
    prefix = f"arn:aws:iam::{account}:"
    first: list[Statement] = [
        allow("Roles", roles, [f"{prefix}role/{stack}-*", f"{prefix}instance-profile/{stack}-*"]),
        allow("ServiceLinkedRoles", [LINKED], [f"{prefix}role/aws-service-role/*"]),
        allow("Bootstrap", ["ssm:GetParameters"], [parameter(account, region)]),
        allow("Look", NOWHERE, ["*"]),
    ]
    return [policy(part) for part in _parts(first, rest, region)]


def _split(allowed: set[str]) -> tuple[list[str], list[str]]:
    special = {LINKED, *NOWHERE}
    roles = sorted(a for a in allowed if a.startswith("iam:") and a not in special)
    return roles, sorted(a for a in allowed if not a.startswith("iam:"))


def _parts(first: list[Statement], rest: list[str], region: str) -> Iterator[list[Statement]]:
    """Statements, so many at a time as one policy takes."""
    part, actions = first, list[str]()
    for action in rest:
        if _size([*part, _in_region([*actions, action], region)]) > MAXIMUM:
            yield [*part, _in_region(actions, region)]
            part, actions = [], []
        actions.append(action)
    yield [*part, _in_region(actions, region)]


def _size(statements: list[Statement]) -> int:
    return len(json.dumps(policy(statements), separators=(",", ":")))


def bootstrap(account: str, region: str) -> Policy:
    """For `cdk bootstrap`: the CDK's own stack and what is in it, by name."""
    roles, rest = _split(permissions(BOOTSTRAP_TYPES))
    named = f"cdk-{QUALIFIER}-*-{account}-{region}"
    where = f"{region}:{account}"
    statements = [
        allow(
            "Stack",
            [f"cloudformation:{verb}" for verb in (*_READ_STACK, *_CHANGE_STACK)],
            [f"arn:aws:cloudformation:{where}:stack/CDKToolkit/*"],
        ),
        allow("Roles", roles, [f"arn:aws:iam::{account}:role/{named}"]),
    ]
    for service, resource in (
        ("s3", f"arn:aws:s3:::cdk-{QUALIFIER}-assets-{account}-{region}"),
        ("ecr", f"arn:aws:ecr:{where}:repository/cdk-{QUALIFIER}-*"),
        ("ssm", parameter(account, region)),
    ):
        actions = [action for action in rest if action.startswith(f"{service}:")]
        statements.append(allow(service.upper(), actions, [resource]))
    return policy(statements)


_READ_STACK = ("DescribeStacks", "DescribeStackEvents", "DescribeStackResources", "GetTemplate")
_CHANGE_STACK = (
    *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"),
    *("DeleteStack", "UpdateTerminationProtection"),
)


def _in_region(actions: Sequence[str], region: str) -> Statement:
    """CloudFormation names most things itself, so the region is what can be named here."""
    condition = {"StringEquals": {"aws:RequestedRegion": region}}
    return {**allow("Resources", actions, ["*"]), "Condition": condition}


def rendered(types: Sequence[str], stack: str, account: str, region: str) -> dict[str, str]:
    """File name -> text, of all policies."""
    parts = cloudformation(types, stack, account, region)
    policies = {
        "bootstrap": bootstrap(account, region),
        "deployer": deployer(stack, account, region),
        **{f"cloudformation-{number}": part for number, part in enumerate(parts, start=1)},
    }
    return {f"{name}.json": json.dumps(held, indent=1) + "\n" for name, held in policies.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(prog="python -m cdk.policies", description=__doc__.partition(":")[2])
    parser.add_argument("--account", default="123456789012", help="your account (default: %(default)s)")
    parser.add_argument("--region", default="us-east-1", help="the stack's region (default: %(default)s)")
    parser.add_argument(
        "--into", type=Path, default=ROOT / "docs" / "policies", help="default: docs/policies"
    )
    options = parser.parse_args(arguments)
    templates = sorted((ROOT / "cdk.out").glob("*.template.json"))
    if len(templates) != 1:
        sys.stderr.write(
            f"error: cdk.out has {len(templates)} templates, 1 is expected\nhint: run make synth\n"
        )
        return 1
    stack = templates[0].name.removesuffix(".template.json")
    options.into.mkdir(parents=True, exist_ok=True)
    for name, text in rendered(types_of(templates[0]), stack, options.account, options.region).items():
        (options.into / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
