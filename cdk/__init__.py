"""The cloud: `config.yaml` in, one CloudFormation stack out, and never a call to AWS."""

from cdk.workstation.node import use_pinned_node

# jsii starts `node` while aws_cdk is imported, so this must come before any module of this room.
use_pinned_node()
