"""What CloudFormation refuses and the emulator accepts: checked before a call is passed on."""

import re

import aws
from call import error

NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")
MAX_BODY = 51200
NOT_UPDATABLE = ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")


def validation(call, message):
    return error(call, "ValidationError", message)


def name_and_size(call):
    """The constraints on the request itself."""
    name, body = call.params.get("StackName", ""), call.params.get("TemplateBody", "")
    if not name.startswith("arn:") and not NAME.fullmatch(name):
        return validation(call, f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
                                "constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
    if len(body.encode()) > MAX_BODY:
        return validation(call, "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                                f"Member must have length less than or equal to {MAX_BODY}")
    return None


def given_parameters(call):
    """Parameter -> value, None for UsePreviousValue."""
    return call.pairs("Parameters.member", "ParameterKey", "ParameterValue")


def capabilities_and_parameters(lab, call):
    """CAPABILITY_* that the template needs, and its parameters; ValidateTemplate of the emulator knows both."""
    body = call.params.get("TemplateBody")
    if not body:
        return None
    try:
        answer = lab.aws.query("cloudformation", "ValidateTemplate", {"TemplateBody": body}, region=call.region)
    except aws.AwsError:
        return None  # the emulator refuses the template; it shall say so itself
    needs = {e.text for e in answer.iter("member") if (e.text or "").startswith("CAPABILITY_")}
    has = set(call.members("Capabilities.member."))
    if "CAPABILITY_NAMED_IAM" in needs and "CAPABILITY_NAMED_IAM" not in has:
        return error(call, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")
    if "CAPABILITY_IAM" in needs and not has & {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}:
        return error(call, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]")
    return parameters(call, answer)


def parameters(call, answer):
    """Parameters missing or unknown."""
    known, given = {}, given_parameters(call)
    for member in answer.iter("member"):
        key = member.findtext("ParameterKey")
        if key:
            known[key] = member.find("DefaultValue") is not None
    missing = [k for k, has_default in known.items() if k not in given and not has_default]
    unknown = [k for k in given if k not in known]
    if missing:
        return validation(call, f"Parameters: [{', '.join(missing)}] must have values")
    if unknown:
        return validation(call, f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    return None


def describe(lab, call, name=None):
    """The emulator's <member> of a stack, or None."""
    try:
        answer = lab.aws.query("cloudformation", "DescribeStacks", {"StackName": name or call.params["StackName"]},
                               region=call.region)
    except aws.AwsError:
        return None
    return answer.find(".//Stacks/member")


def same(lab, call, member):
    """Whether the call asks for exactly what the stack already is."""
    if call.params.get("UsePreviousTemplate", "").lower() != "true":
        old = lab.aws.query("cloudformation", "GetTemplate", {"StackName": member.findtext("StackName")},
                            region=call.region).findtext(".//TemplateBody") or ""
        if old.strip() != call.params.get("TemplateBody", "").strip():
            return False
    before = {p.findtext("ParameterKey"): p.findtext("ParameterValue") or "" for p in member.findall("Parameters/member")
              if not p.findtext("ParameterKey", "").startswith("AWS::")}
    after = {k: before.get(k, "") if v is None else v for k, v in given_parameters(call).items()}
    if {**before, **after} != before:
        return False
    tags = call.pairs("Tags.member")
    have = {t.findtext("Key"): t.findtext("Value") or "" for t in member.findall("Tags/member")}
    return not tags or tags == have


def update(lab, call, views):
    """What UpdateStack refuses."""
    name = call.params["StackName"]
    member = describe(lab, call)
    if member is None:
        return validation(call, f"Stack [{name}] does not exist")
    view = views.get(call.region, name)
    status = member.findtext("StackStatus")
    if view and view.phase and (view.keep_status or not view.settled):
        status = view.phase.status
    if status in NOT_UPDATABLE or status.endswith("_IN_PROGRESS"):
        return validation(call, f"Stack:{member.findtext('StackId')} is in {status} state and can not be updated.")
    if same(lab, call, member):
        return validation(call, "No updates are to be performed.")
    return None


def refuse(lab, call, views):
    """The refusal of a CreateStack, UpdateStack or CreateChangeSet, or None."""
    found = name_and_size(call) or capabilities_and_parameters(lab, call)
    if not found and call.action == "UpdateStack":
        found = update(lab, call, views)
    return found


def policies_of_others(lab, role, resources, template):
    """Why a role cannot be deleted, or None: it has a policy that the stack has not given it."""
    ids = {r["physical"] for r in resources}
    arns = [e.text for e in lab.aws.query("iam", "ListAttachedRolePolicies", {"RoleName": role}).iter("PolicyArn")]
    if any(arn not in ids and arn.split("/")[-1] not in template for arn in arns):
        return "Cannot delete entity, must detach all policies first. (Service: Iam, Status Code: 409)"
    written = [e.text for e in lab.aws.query("iam", "ListRolePolicies", {"RoleName": role}).iter("member")]
    if written and not re.search(r"\bPolicyName\b", template):
        return "Cannot delete entity, must delete policies first. (Service: Iam, Status Code: 409)"
    return None


def delete_blocker(lab, resources, template):
    """(resource, reason) that makes DeleteStack fail on AWS, or None: what others still use."""
    last = lambda physical: physical.split("/")[-1]  # noqa: E731
    profiles = {last(r["physical"]) for r in resources if r["type"] == "AWS::IAM::InstanceProfile"}
    roles = {last(r["physical"]) for r in resources if r["type"] == "AWS::IAM::Role"}
    for r in resources:
        if r["type"] == "AWS::IAM::Role":
            params, action, tag, own = ({"RoleName": last(r["physical"])}, "ListInstanceProfilesForRole",
                                        "InstanceProfileName", profiles)
            why = "Cannot delete entity, must remove roles from instance profile first. (Service: Iam, Status Code: 409)"
        elif r["type"] == "AWS::IAM::ManagedPolicy":
            params, action, tag, own = {"PolicyArn": r["physical"]}, "ListEntitiesForPolicy", "RoleName", roles
            why = "Cannot delete a policy attached to entities. (Service: Iam, Status Code: 409)"
        else:
            continue
        try:
            answer = lab.aws.query("iam", action, params)
            held = r["type"] == "AWS::IAM::Role" and policies_of_others(lab, params["RoleName"], resources, template)
        except aws.AwsError:
            continue
        if held:
            return r, held
        if {e.text for e in answer.iter(tag)} - own:
            return r, why
    return None
