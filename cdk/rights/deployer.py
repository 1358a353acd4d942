"""The policy of a person who deploys, installs edges, operates and cleans up."""

from __future__ import annotations

import re

from cdk.rights.statements import QUALIFIER, Policy, allow, policy


def deployer(stack: str, account: str, region: str) -> Policy:
    """For a person: deploying borrows the CDK's roles, installing the installer's; the rest is their own."""
    where = f"{region}:{account}"

    def own(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{where}:{resource}"

    things, store = own("iot", f"thing/{stack}-*"), own("medical-imaging", "datastore/*")
    cluster = re.sub("-+", "-", f"{stack}-iepauroradb")
    buckets = f"arn:aws:s3:::{stack}-*"
    return policy(
        [
            allow(
                "Borrow",
                ["sts:AssumeRole"],
                [
                    f"arn:aws:iam::{account}:role/cdk-{QUALIFIER}-*-{account}-{region}",
                    f"arn:aws:iam::{account}:role/{stack}-GGInstallerRole",
                ],
            ),
            # cdk.doctor, cdk.cleanup, ops
            allow(
                "Stack",
                ["cloudformation:DescribeStacks", "cloudformation:UpdateTerminationProtection"],
                [own("cloudformation", f"stack/{name}/*") for name in (stack, "CDKToolkit")],
            ),
            # cdk.doctor: no resource can be named
            allow("Look", _LOOK, ["*"]),
            # cdk.cleanup
            allow("Devices", _DEVICES, [things, own("iot", "cert/*"), own("iot", f"policy/{stack}-*")]),
            allow(
                "CoreDevices",
                ["greengrass:GetCoreDevice", "greengrass:DeleteCoreDevice"],
                [own("greengrass", f"coreDevices:{stack}-*")],
            ),
            allow("ImageSets", _IMAGE_SETS, [store, f"{store}/imageset/*"]),
            allow("Database", ["rds:ModifyDBCluster"], [own("rds", f"cluster:{cluster}")]),
            allow("Instances", ["ec2:ModifyInstanceAttribute"], [own("ec2", "instance/*")]),
            # ops
            allow(
                "Objects",
                ["s3:ListBucket", "s3:GetObject", "s3:GetLifecycleConfiguration"],
                [buckets, f"{buckets}/*"],
            ),
            allow("Manifests", ["s3:PutObject"], [f"{buckets}/manifests/{stack}-*"]),
            allow("Index", ["rds-data:ExecuteStatement"], [own("rds", f"cluster:{cluster}")]),
            allow(
                "Secrets",
                ["secretsmanager:GetSecretValue"],
                [own("secretsmanager", f"secret:{stack.replace('-', '')}IEP*")],
            ),
            allow("Functions", ["lambda:InvokeFunction"], [own("lambda", f"function:{stack}-*")]),
            allow("Replays", ["events:DescribeArchive"], [own("events", f"archive/{stack}-series")]),
            allow(
                "StartReplay",
                ["events:StartReplay"],
                [own("events", f"archive/{stack}-series"), own("events", f"event-bus/{stack}-events")],
            ),
            allow(
                "Executions",
                [
                    "states:StartExecution",
                    "states:DescribeExecution",
                    "states:ListExecutions",
                    "states:GetExecutionHistory",
                ],
                [own("states", f"stateMachine:{stack}-*"), own("states", f"execution:{stack}-*")],
            ),
            allow("DeadLetters", ["sqs:ReceiveMessage", "sqs:DeleteMessage"], [own("sqs", f"{stack}-*")]),
            allow("Logs", ["logs:FilterLogEvents"], [own("logs", f"log-group:/aws/*/{stack}-*")]),
            {
                **allow("Key", ["kms:Decrypt", "kms:GenerateDataKey"], [own("kms", "key/*")]),
                "Condition": {"StringLike": {"kms:ViaService": f"*.{region}.amazonaws.com"}},
            },
        ]
    )


_LOOK = [
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstances",
    "ec2:DescribeVpcEndpointServices",
    "ec2:DescribeVpcs",
    "iot:DescribeEndpoint",
    "iot:ListThingPrincipals",
    "lambda:GetAccountSettings",
    "medical-imaging:ListDatastores",
    "servicequotas:ListServiceQuotas",
    "sts:GetCallerIdentity",
]
_DEVICES = [
    "iot:DeleteCertificate",
    "iot:DetachPolicy",
    "iot:DetachThingPrincipal",
    "iot:UpdateCertificate",
]
_IMAGE_SETS = [
    "medical-imaging:SearchImageSets",
    "medical-imaging:DeleteImageSet",
    "medical-imaging:GetImageSetMetadata",
    "medical-imaging:GetImageFrame",
]
