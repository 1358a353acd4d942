"""`python -m cdk.cli deploy`: the CDK's command line, pinned to fit the library, run by the wheel's Node.

npm brings it on first use, without asking; it is kept in npm's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from cdk.packaging.build import ROOT
from cdk.workstation.node import pinned_node

CLI_VERSION = "2.1148.1"
"""The last of its line that reads the assemblies of aws-cdk-lib 2.275; npm's `latest` may not."""


def command(arguments: list[str]) -> list[str]:
    """What is run: npx of the wheel, never of the machine."""
    node = pinned_node()
    npx = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npx-cli.js"
    if os.name == "nt":
        npx = node.parent / "node_modules" / "npm" / "bin" / "npx-cli.js"
    return [str(node), str(npx), "--yes", f"aws-cdk@{CLI_VERSION}", *arguments]


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The wheel's Node first on the path, and no question about usage statistics."""
    path = os.pathsep.join([str(pinned_node().parent), inherited.get("PATH", "")])
    return {**inherited, "PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true"}


def main() -> int:
    """Run the CDK's command line with our arguments."""
    done = subprocess.run(  # noqa: S603 - the pinned CLI; arguments are the caller's own
        command(sys.argv[1:]), cwd=ROOT, env=environment(os.environ), check=False
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
