"""The end of an update, when CloudFormation deletes what its template has no more.

It deletes no managed policy that something has attached: it tries three times, lets go of it, and the update is well all the same. The
emulator deletes it, so that it is made again.
"""

import urllib.parse

import aws
from stacks import Event

WHY = ("Resource handler returned message: \"Cannot delete a policy attached to entities. (Service: Iam, Status Code: 409, Request ID: lab)\" "
       "(HandlerErrorCode: ResourceConflict)")
# what CloudFormation says of the stack then
REASON = "Update successful. One or more resources could not be deleted."
TRIES = 3


def undeletable(lab, resources, template):
    """The managed policies of a stack that a new template drops and a role still has: what is needed to make them again."""
    found = []
    for r in resources:
        if r["type"] != "AWS::IAM::ManagedPolicy" or r["logical"] in (template.get("Resources") or {}):
            continue
        try:
            roles = [e.text for e in lab.aws.query("iam", "ListEntitiesForPolicy", {"PolicyArn": r["physical"]}).iter("RoleName")]
            policy = lab.aws.query("iam", "GetPolicy", {"PolicyArn": r["physical"]})
            version = {"PolicyArn": r["physical"], "VersionId": policy.findtext(".//DefaultVersionId")}
            document = lab.aws.query("iam", "GetPolicyVersion", version).findtext(".//Document")
        except aws.AwsError:
            continue
        if roles:
            found.append((r, urllib.parse.unquote(document), roles))
    return found


def put_back(lab, dropped):
    """Makes them again, and answers the events of the tries."""
    for r, document, roles in dropped:
        lab.aws.query_raw("iam", "CreatePolicy", {"PolicyName": r["physical"].split("/")[-1], "PolicyDocument": document})
        for role in roles:
            lab.aws.query_raw("iam", "AttachRolePolicy", {"RoleName": role, "PolicyArn": r["physical"]})
    rows = (("DELETE_IN_PROGRESS", ""), ("DELETE_FAILED", WHY))
    return [Event(r["logical"], r["physical"], r["type"], status, why)
            for r, _, _ in dropped for _ in range(TRIES) for status, why in rows]
