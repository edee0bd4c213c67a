"""The kernel as an oracle: `[allow] groups` and a command's groups say what a file of that group says."""

import json
import os

from machine import TOOLS, equal, holds

from . import scenario

SEED = os.environ.get("UDSADMIN_ORACLE_SEED", "20261121")


@scenario
def groups_permit_whom_the_kernel_lets_read_a_file_of_theirs(rig):
    report = json.loads(rig.root(f"{TOOLS}/oracle", SEED, seconds=300).well().out)
    equal(report["disagreements"], [], f"what differs from the kernel, with UDSADMIN_ORACLE_SEED={SEED}")
    holds(report["processes"] > 150 and report["groups"] > 20, f"enough were asked: {report}")
    refused = report["processes"] - report["admitted"]
    holds(report["admitted"] > 40 and refused > 40 and report["ran"] > 40, f"some of each kind: {report}")
    print(f"   {rig.suite}: seed {SEED}, {report['processes']} processes, {report['admitted']} admitted", flush=True)
