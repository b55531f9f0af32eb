"""Updates that CloudFormation makes only by a replacement, which it refuses for a resource that bears a name of its own.

What counts is that the property is there or not, or another: a default that is only written out is a replacement as well
(awsdocs/aws-cloudformation-user-guide, issue 1276).
"""

import cfn_template

# resource type -> the property that names it, then its other createOnlyProperties (the schemas of the resource types)
CREATE_ONLY = {
    "AWS::IAM::InstanceProfile": ("InstanceProfileName", "Path"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "Path", "Description"),
    "AWS::IAM::Role": ("RoleName", "Path"),
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::Events::Rule": ("Name", "EventBusName"),
}


def refused(old, new, known):
    """(logical id, type, reason) of the first resource of an update that would have to be made anew under its name, or None."""
    after = new.get("Resources") or {}
    for logical, r in (old.get("Resources") or {}).items():
        there = after.get(logical) or {}
        names = CREATE_ONLY.get(r.get("Type"))
        if not names or there.get("Type") != r["Type"]:
            continue
        have, want = ([value(one, name, known) for name in names] for one in (r, there))
        if have[0] is not None and have[0] == want[0] and have != want:
            return logical, r["Type"], ("CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                                        f"Rename {have[0]} and update the stack again.")
    return None


def value(resource, name, known):
    """What a property comes to; None where it is not there."""
    written = (resource.get("Properties") or {}).get(name)
    found = cfn_template.resolve(written, known)
    return written if found is None else found
