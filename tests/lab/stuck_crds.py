"""Definitions whose end the API server has forgotten.

A CRD that is deleted while its storage is still made (it came a second before) fails to go once, "storage is
(re)initializing", and kube-apiserver 1.36 at times does not try again before the object changes. So the lab changes it.
"""

import time

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def is_stuck(crd):
    conditions = (crd.get("status") or {}).get("conditions") or []
    return crd["metadata"].get("deletionTimestamp") and any(
        c["type"] == "Terminating" and c.get("reason") == "InstanceDeletionFailed" for c in conditions)


def nudge(lab):
    """One look."""
    for crd in filter(is_stuck, lab.kube.items(PATH)):
        lab.kube.merge(f"{PATH}/{crd['metadata']['name']}", {"metadata": {"annotations": {"lab/nudged": str(time.time())}}})
