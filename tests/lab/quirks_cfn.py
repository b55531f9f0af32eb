"""CloudFormation: what the emulator does otherwise than AWS.

- It checks little (cfn_checks.py) and every operation is done at once, without events (stacks.py).
- A failed create stays CREATE_FAILED; AWS rolls back.
- A role or instance profile that exists is taken over silently (and deleted by a rollback); AWS fails the create.
- A change set or an update without a change is accepted.
- A resource with a name of its own is made anew under that name; AWS rolls the update back (cfn_replace.py).
- An update deletes a policy that something has attached; AWS lets go of it (cfn_cleanup.py).
- Stack tags do not reach the resources.
- DescribeStacks leaves the capabilities out; eksctl updates a stack with those that it finds.
- ListStacks ignores its filter.
- GetTemplate answers what was sent; AWS answers `?` for each character outside ASCII.
- A delete that AWS would refuse succeeds; a deleted stack cannot be described by its id.
- The physical id of a role is its ARN, and DescribeStacks lists pseudo parameters.
"""

import copy
import datetime
import json
import re
import urllib.parse
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import aws
import cfn_checks
import cfn_cleanup
import cfn_replace
import cfn_template
import lifecycle
import stacks
import strict_cfn
from call import ns, xml

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
VIEWS = {}  # id of the lab -> its Views: quirk modules hold no lab of their own
UNCHANGED = set()  # names of change sets without a change
REPLACING = {}  # name of a change set -> why CloudFormation rolls it back


def views(lab):
    return VIEWS.setdefault(id(lab), stacks.Views())


def before(lab, call):
    if call.action in ("CreateStack", "UpdateStack", "CreateChangeSet"):
        refused = cfn_checks.refuse(lab, call, views(lab))
        if refused:
            return refused
        lab.wait_for_kube()
    match call.action:
        case "CreateChangeSet":
            note_unchanged(lab, call)
        case "CreateStack":
            fail_as_aws(lab, call)
        case "UpdateStack":
            return before_update(lab, call)
        case "ExecuteChangeSet":
            member = cfn_checks.describe(lab, call)
            call.creates = member is not None and member.findtext("StackStatus") == "REVIEW_IN_PROGRESS"
            replacing = REPLACING.get(change_set(call))
            return roll_back(lab, call, member, replacing) if replacing else None
        case "DeleteStack":
            return before_delete(lab, call)
        case "DescribeStacks":
            return describe_deleted(lab, call)
        case "DescribeStackEvents":
            return events(lab, call)
    return None


def after(lab, call, answer):
    if not answer.ok:
        return answer
    match call.action:
        case "CreateStack":
            settle(lab, call, "CREATE")
        case "UpdateStack":
            settle(lab, call, "UPDATE")
        case "ExecuteChangeSet":
            settle(lab, call, "CREATE" if call.creates else "UPDATE")
        case "DeleteStack":
            after_delete(lab, call)
        case "DescribeStacks":
            return describe(lab, call, answer)
        case "ListStacks":
            return list_stacks(lab, call, answer)
        case "DescribeChangeSet":
            return describe_change_set(call, answer)
        case "GetTemplate":
            return in_ascii(answer)
        case "ListStackResources" | "DescribeStackResources" | "DescribeStackResource":
            return role_names(answer)
    return answer


def in_ascii(answer):
    root = ET.fromstring(answer.body)
    for element in root.iter():
        element.text = element.text and "".join(c if c.isascii() else "?" for c in element.text)
    return answer.with_xml(root)


# --- create and update

def stack_resources(lab, region, name):
    """The resources of a stack: logical, physical, type."""
    try:
        answer = lab.aws.query("cloudformation", "ListStackResources", {"StackName": name}, region=region)
    except aws.AwsError:
        return []
    return [{"logical": m.findtext("LogicalResourceId", ""), "physical": m.findtext("PhysicalResourceId", ""),
             "type": m.findtext("ResourceType", "")} for m in answer.iter("member") if m.find("ResourceType") is not None]


def settle(lab, call, verb):
    """After an operation that changed a stack: its view, its tags, and what its resources mean to the rest of the lab."""
    member = cfn_checks.describe(lab, call)
    if member is None:
        return
    name, pace = member.findtext("StackName"), int(lab.settings["pace"])
    old = views(lab).get(call.region, name)
    fresh = verb == "CREATE" or old is None
    view = stacks.View(name, member.findtext("StackId")) if fresh else old
    view.capabilities = call.members("Capabilities.member.") or view.capabilities
    resources = stack_resources(lab, call.region, name)
    if member.findtext("StackStatus") == "CREATE_FAILED":
        fail_create(lab, call, view, resources, member.findtext("StackStatusReason") or "", pace)
    elif member.findtext("StackStatus", "").endswith("ROLLBACK_COMPLETE"):
        view.begin([stacks.Phase("UPDATE_ROLLBACK_COMPLETE", 0, [])], keep_status=False)
    else:
        known = {r["logical"] for r in view.resources}
        changed = [r for r in resources if r["logical"] not in known] if verb == "UPDATE" else resources
        undeleted = cfn_cleanup.put_back(lab, getattr(call, "dropped", ()))
        view.begin(stacks.done(view, verb, changed, pace, undeleted, cfn_cleanup.REASON), keep_status=bool(undeleted))
        tags = {t.findtext("Key"): t.findtext("Value") or "" for t in member.findall("Tags/member")}
        lifecycle.stack_changed(lab, call, view, resources, changed, tags)
    view.resources = resources
    views(lab).put(call.region, view)


# a resource that the emulator never manages to create
IMPOSSIBLE = {"Type": "AWS::IAM::RolePolicy", "Properties": {"RoleName": "none", "PolicyName": "none"}}


def fail_as_aws(lab, call):
    """Where AWS fails a create and the emulator does not, it gets a template that fails in the other's place."""
    call.conflict = None
    if cfn_checks.describe(lab, call) is not None:
        return  # AlreadyExistsException
    template, known = asked(lab, call)
    refused = existing_resource(lab, template, known) or strict_cfn.stack_denial(lab, call, template, known)
    found = refused or failing(lab, template)
    if found:
        logical, kind, reason = found
        # what failed when it was there already is removed with the others
        undo = strict_cfn.undo_denial(lab, call, template, known, logical if refused else None)
        call.conflict = ({"logical": logical, "physical": "", "type": kind}, reason, undo)
        body = json.dumps({"Parameters": template.get("Parameters") or {}, "Resources": {logical: IMPOSSIBLE}})
        call.body = urllib.parse.urlencode({**call.params, "TemplateBody": body}).encode()


def failing(lab, template):
    """(logical id, type, reason) of the first resource of the type that a test lets fail, or None."""
    kind = lab.settings["failing"]
    why = f"Resource handler returned message: \"{kind} did not stabilize\" (HandlerErrorCode: NotStabilized)"
    return next(((n, kind, why) for n, r in (template.get("Resources") or {}).items() if r.get("Type") == kind), None)


def asked(lab, call):
    """The template that a call gives, and the values of its parameters."""
    template = cfn_template.parse(call.params.get("TemplateBody", ""))
    pseudo = {"AWS::Region": call.region, "AWS::AccountId": lab.account, "AWS::Partition": lab.partition,
              "AWS::URLSuffix": lab.dns, "AWS::StackName": call.params.get("StackName")}
    return template, cfn_template.values(template, cfn_checks.given_parameters(call), pseudo)


def before_update(lab, call):
    """Rolls back an update that CloudFormation or its caller may not make; the emulator is not told of it."""
    member, old, retagged = strict_cfn.before(lab, call)
    template, known = asked(lab, call)
    denied = cfn_replace.refused(old, template, known)
    if not denied and strict_cfn.stack_caller(lab, call):
        denied = strict_cfn.change_denial(lab, call, old, template, known, retagged)
    if not denied:
        call.dropped = cfn_cleanup.undeletable(lab, stack_resources(lab, call.region, member.findtext("StackName")), template)
    return roll_back(lab, call, member, denied) if denied else None


def roll_back(lab, call, member, denied):
    """The answer to an update that is rolled back for a (logical id, type, reason)."""
    name, ident = member.findtext("StackName"), member.findtext("StackId")
    view = views(lab).get(call.region, name) or stacks.View(name, ident)
    view.begin(stacks.failed_update(view, *denied, int(lab.settings["pace"])), keep_status=True)
    views(lab).put(call.region, view)
    result = f"<StackId>{ident}</StackId>" if call.action == "UpdateStack" else ""
    return xml(f'<{call.action}Response xmlns="{NAMESPACE}"><{call.action}Result>{result}</{call.action}Result>'
               f"<ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></{call.action}Response>")


def existing_resource(lab, template, known):
    """(logical id, type, reason) of a named IAM resource of the template that is there already, or None."""
    for logical, kind, name in cfn_template.named_resources(template, known):
        if exists(lab, kind, name):
            word = cfn_template.NAMED[kind][1]
            return logical, kind, (
                f'Resource handler returned message: "{word} {name} already exists. (Service: Iam, Status Code: 409, '
                'Request ID: lab)" (RequestToken: lab, HandlerErrorCode: AlreadyExists)')
    return None


def exists(lab, kind, name):
    """Whether an IAM resource of that name is there."""
    action, form = {
        "AWS::IAM::Role": ("GetRole", {"RoleName": name}),
        "AWS::IAM::InstanceProfile": ("GetInstanceProfile", {"InstanceProfileName": name}),
        "AWS::IAM::ManagedPolicy": ("GetPolicy", {"PolicyArn": lab.arn("iam", f"policy/{name}")}),
    }[kind]
    return lab.aws.query_raw("iam", action, form)[0] == 200


def fail_create(lab, call, view, resources, reason, pace):
    """A create that failed: AWS names the resource, and rolls back unless told not to."""
    failed, reason, undo = getattr(call, "conflict", None) or (blamed(call, reason), reason, None)
    keep = call.params.get("OnFailure") == "DO_NOTHING" or call.params.get("DisableRollback", "").lower() == "true"
    view.begin(stacks.failed_create(view, [r for r in resources if r["logical"] != failed["logical"]], failed, reason,
                                    pace, keep, undo), keep_status=True)


def blamed(call, reason):
    """The resource that the emulator's reason names."""
    resources = cfn_template.parse(call.params.get("TemplateBody", "")).get("Resources") or {}
    named = next((w for w in re.findall(r"\w+", reason) if w in resources), None)
    kind = resources[named].get("Type", "") if named else "AWS::CloudFormation::Stack"
    return {"logical": named or "Resource", "physical": "", "type": kind}


# --- delete

def before_delete(lab, call):
    """Refuses what AWS refuses; else keeps what is needed to describe the stack afterwards."""
    member = cfn_checks.describe(lab, call)
    call.deleted = None
    if member is None:
        return None
    name = member.findtext("StackName")
    view = views(lab).get(call.region, name) or stacks.View(name, member.findtext("StackId"))
    view.resources = stack_resources(lab, call.region, name)
    views(lab).put(call.region, view)
    protected = member.findtext("EnableTerminationProtection", "").lower() == "true"
    kept = set(call.members("RetainResources.member."))
    template = lab.aws.query("cloudformation", "GetTemplate", {"StackName": name}, region=call.region).findtext(".//TemplateBody") or ""
    blocker = None if protected else cfn_checks.delete_blocker(
        lab, [r for r in view.resources if r["logical"] not in kept], template) or strict_cfn.removal_denial(lab, call, name, view.resources)
    if blocker:
        resource, why = blocker
        view.begin(stacks.failed_delete(view, resource["logical"], resource["type"], why, int(lab.settings["pace"])),
                   keep_status=True)
        return xml(f'<DeleteStackResponse xmlns="{NAMESPACE}"><ResponseMetadata><RequestId>lab</RequestId>'
                   "</ResponseMetadata></DeleteStackResponse>")
    call.deleted = (view, member)
    for r in view.resources:
        if r["type"] == "AWS::EKS::Cluster" and not protected:
            lifecycle.purge_cluster(lab, r["physical"].split("/")[-1])
    return None


def after_delete(lab, call):
    if call.deleted:
        view, member = call.deleted
        view.member = member
        view.begin(stacks.done(view, "DELETE", view.resources[::-1], int(lab.settings["pace"])), keep_status=True)
        lifecycle.stack_deleted(lab, view.resources)


def is_deleted(view):
    return view is not None and view.member is not None


# --- describe

def describe_deleted(lab, call):
    """A deleted stack: by name while it is going, by id for ever."""
    key = call.params.get("StackName", "")
    view = views(lab).get(call.region, key)
    if not is_deleted(view):
        return None
    phase = view.look()
    if not key.startswith("arn:") and view.is_last(phase):
        return None
    member = set_status(copy.deepcopy(view.member), phase)
    strip_pseudo(member, "")
    return xml(f'<DescribeStacksResponse xmlns="{NAMESPACE}"><DescribeStacksResult><Stacks>'
               f"{ET.tostring(member, encoding='unicode')}</Stacks></DescribeStacksResult>"
               "<ResponseMetadata><RequestId>lab</RequestId></ResponseMetadata></DescribeStacksResponse>")


def set_status(member, phase, prefix=""):
    """Writes a phase into a stack's element."""
    status = member.find(f"{prefix}StackStatus")
    status.text = phase.status
    for old in member.findall(f"{prefix}StackStatusReason"):
        member.remove(old)
    if phase.reason:
        reason = ET.Element(f"{prefix}StackStatusReason")
        reason.text = phase.reason
        member.insert(list(member).index(status) + 1, reason)
    if "IN_PROGRESS" in phase.status or phase.status == "ROLLBACK_COMPLETE":
        for outputs in member.findall(f"{prefix}Outputs"):
            member.remove(outputs)
    return member


def strip_pseudo(member, prefix):
    """The emulator lists AWS::Region and the like among the parameters."""
    parameters = member.find(f"{prefix}Parameters")
    for p in list(parameters if parameters is not None else []):
        if p.findtext(f"{prefix}ParameterKey", "").startswith("AWS::"):
            parameters.remove(p)


def describe(lab, call, answer):
    """DescribeStacks with the views' statuses. Only a look at one stack counts as a poll."""
    root = ET.fromstring(answer.body)
    prefix = ns(root)
    for member in root.findall(f".//{prefix}Stacks/{prefix}member"):
        strip_pseudo(member, prefix)
        view = views(lab).get(call.region, member.findtext(f"{prefix}StackName"))
        if not view or is_deleted(view) or view.id != member.findtext(f"{prefix}StackId"):
            continue
        if view.capabilities and member.find(f"{prefix}Capabilities") is None:
            listed = ET.SubElement(member, f"{prefix}Capabilities")
            for name in view.capabilities:
                ET.SubElement(listed, f"{prefix}member").text = name
        phase = view.look() if call.params.get("StackName") else view.phase
        if phase and (view.keep_status or not view.is_last(phase)):
            set_status(member, phase, prefix)
    return answer.with_xml(root)


def list_stacks(lab, call, answer):
    """Applies StackStatusFilter, which the emulator ignores (eksctl would see what it just deleted)."""
    wanted = set(call.members("StackStatusFilter.member."))
    root = ET.fromstring(answer.body)
    prefix = ns(root)
    listed = root.find(f".//{prefix}StackSummaries")
    for member in list(listed if listed is not None else []):
        view = views(lab).get(call.region, member.findtext(f"{prefix}StackName"))
        if view and view.id == member.findtext(f"{prefix}StackId") and (view.keep_status or not view.settled):
            member.find(f"{prefix}StackStatus").text = view.phase.status
        if wanted and member.findtext(f"{prefix}StackStatus") not in wanted:
            listed.remove(member)
    return answer.with_xml(root)


def events(lab, call):
    """DescribeStackEvents, newest first; counts as a poll, since some clients look at nothing else."""
    key = call.params.get("StackName", "")
    view = views(lab).get(call.region, key)
    if not view or (is_deleted(view) and view.settled and not key.startswith("arn:")):
        return None
    rows = "".join(event_row(view, e) for e in reversed(view.events(view.look())))
    return xml(f'<DescribeStackEventsResponse xmlns="{NAMESPACE}"><DescribeStackEventsResult><StackEvents>{rows}'
               "</StackEvents></DescribeStackEventsResult><ResponseMetadata><RequestId>lab</RequestId>"
               "</ResponseMetadata></DescribeStackEventsResponse>")


def event_row(view, e):
    at = datetime.datetime.fromtimestamp(e.at, datetime.timezone.utc).isoformat(timespec="milliseconds")
    reason = f"<ResourceStatusReason>{escape(e.reason)}</ResourceStatusReason>" if e.reason else ""
    return (f"<member><StackId>{view.id}</StackId><EventId>{e.id}</EventId><StackName>{view.name}</StackName>"
            f"<LogicalResourceId>{e.logical}</LogicalResourceId>"
            f"<PhysicalResourceId>{escape(e.physical)}</PhysicalResourceId><ResourceType>{e.type}</ResourceType>"
            f"<Timestamp>{at.replace('+00:00', 'Z')}</Timestamp><ResourceStatus>{e.status}</ResourceStatus>{reason}"
            "</member>")


def role_names(answer):
    """AWS gives a role's name as its physical id, the emulator its ARN."""
    body = re.sub(rb"(<PhysicalResourceId>)arn:[\w-]+:iam::\d+:role/(?:[^<]*/)?([^</]+)(</PhysicalResourceId>)",
                  rb"\1\2\3", answer.body)
    return type(answer)(answer.status, answer.headers, body)


# --- change sets

def note_unchanged(lab, call):
    if call.params.get("ChangeSetType", "UPDATE") == "UPDATE":
        member = cfn_checks.describe(lab, call)
        if member is not None and cfn_checks.same(lab, call, member):
            UNCHANGED.add(call.params["ChangeSetName"])
        elif member is not None and (denied := cfn_replace.refused(strict_cfn.before(lab, call)[1], *asked(lab, call))):
            REPLACING[call.params["ChangeSetName"]] = denied


def change_set(call):
    """The name of the change set that a call is about."""
    return call.params.get("ChangeSetName", "").split("changeSet/")[-1].split("/")[0]


def describe_change_set(call, answer):
    """A change set without a change is FAILED on AWS; `aws cloudformation deploy` goes by that."""
    if change_set(call) not in UNCHANGED:
        return answer
    text = answer.body.decode()
    text = re.sub(r"<Status>.*?</Status>", "<Status>FAILED</Status><StatusReason>The submitted information didn't contain "
                  "changes. Submit different information to create a change set.</StatusReason>", text, count=1)
    text = re.sub(r"<ExecutionStatus>.*?<", "<ExecutionStatus>UNAVAILABLE<", text)
    return xml(re.sub(r"<Changes>.*</Changes>", "<Changes/>", text, flags=re.S))
