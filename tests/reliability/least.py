#!/usr/bin/env python3
"""Works as an IAM user who may do exactly what `karpctl render operator-policy --for WORK` prints, and then without each action.

    python3 tests/reliability/least.py                       every action of every work
    python3 tests/reliability/least.py --sample 3            three actions of each
    python3 tests/reliability/least.py --work destroy --action iam:DeleteRole

The gate asks IAM about every call, about what a call needs besides (tags, roles that are passed), and about all that CloudFormation's
handlers may call with its caller's permissions. With the whole policy the work must end as it does for root; without any one
of its actions it must not, and must name it (`said`: it ends well, and warns of what it could not look at). An action is left out in
the scene that calls for it: a creation from nothing, an upgrade, a spec that changed, a creation that is undone.
"""

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace

from trials import Figures, Trials, arguments, say
from ways import BOOTSTRAP, DESTROY, MOVES, NEW, NEW_DESTROY, NEWEST, Failed, Way, World, chosen, must

USER = "operator"
# as karpctl says it of a call; why a check matters may speak of denials, too
DENIED = re.compile(r"\b[a-z0-9-]+:[A-Z]\w+ is denied")
ACCOUNT = "123456789012"
ISSUER = "oidc.eks.us-west-2.amazonaws.com/id/LEFT"  # of a cluster that is gone
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
GIVEN = ("--tag", "team=x", "--permissions-boundary", BOUNDARY)
CHANGED = [*BOOTSTRAP, *GIVEN]


def demanding(*more):
    """What an organisation may demand: a tag on all that is created, and a boundary of every role."""
    created = ("cloudformation:CreateStack", "iam:CreateRole", "sqs:CreateQueue", "events:PutRule", "eks:CreateAddon",
               "eks:CreateAccessEntry", "eks:CreatePodIdentityAssociation", *more)
    return [
        {"Effect": "Deny", "Resource": "*", "Condition": {"Null": {"aws:RequestTag/team": "true"}}, "Action": list(created)},
        {"Effect": "Deny", "Resource": "*", "Condition": {"StringNotEquals": {"iam:PermissionsBoundary": BOUNDARY}},
         "Action": ["iam:CreateRole"]},
    ]


# with an existing cluster karpctl makes the OIDC provider; eksctl gives its own no other tags than eksctl's
DEMANDS = demanding("iam:CreateOpenIDConnectProvider")
NEW_DEMANDS = demanding("eks:CreateCluster", "eks:CreateNodegroup", "eks:CreateFargateProfile", "ec2:CreateVpc", "ec2:CreateSubnet",
                        "ec2:CreateInternetGateway", "ec2:CreateRouteTable", "ec2:AllocateAddress", "ec2:CreateNatGateway",
                        "ec2:CreateSecurityGroup", "ec2:CreateLaunchTemplate")
IRSA = [*BOOTSTRAP, "--identity", "irsa"]
PRIVATE = [*BOOTSTRAP, "--private"]
LEFT = "left"  # a cluster of karpctl's own, whole or half removed
DOCTOR = ["doctor", "--existing-cluster", "--area", "account,cluster,release", "--karpenter-version", NEWEST]
BEFOREHAND = [word for word in DOCTOR if word != "--existing-cluster"]


class Operated(World):
    """A world with the user, and with what the scenes need: a launch template for the doctor to look at."""

    made_of = {"launch_template": True}

    def fresh(self, existing):
        super().fresh(existing)
        self.aws("iam", "create-user", "--user-name", USER)
        made = self.aws("iam", "create-access-key", "--user-name", USER)["AccessKey"]
        self.keys = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}
        if existing:
            self.let_in()
        self.aws("iam", "create-policy", "--policy-name", "boundary", "--policy-document", json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
        self.empty = self.stage.inventory()

    def is_at(self, way):
        return super().is_at(way) or way.start == LEFT and self.stage is not None and not self.existing and self.state in (LEFT, "newest")

    def bring(self, existing, state):
        """What could not be removed is there to be removed again: the next goes on with what the last one left."""
        if state != LEFT:
            super().bring(existing, state)
        elif self.stage is None or self.existing or self.state not in (LEFT, "newest"):
            super().bring(existing, "newest")

    def let_in(self):
        """The user is an administrator of the cluster, as who made it is."""
        arn = f"arn:aws:iam::{ACCOUNT}:user/{USER}"
        self.eks("create-access-entry", "--principal-arn", arn)
        self.eks("associate-access-policy", "--principal-arn", arn, "--access-scope", "type=cluster", "--policy-arn",
                 "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")

    def aws(self, *words):
        done = subprocess.run(["aws", *words, "--output", "json"], env=self.stage.env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"aws {' '.join(words)}: {done.stderr}")
        return json.loads(done.stdout or "{}")

    def eks(self, action, *words):
        return self.aws("eks", action, "--cluster-name", self.stage.cluster, *words)

    def as_user(self, policy, words):
        self.aws("iam", "put-user-policy", "--user-name", USER, "--policy-name", "work", "--policy-document", json.dumps(policy))
        self.stage.call("POST", "settings", {"strict": True})
        try:
            return self.stage.run(words, env=self.keys)
        finally:
            self.stage.call("POST", "settings", {"strict": False})


# --- scenes: what is done to a world before the work, and after it

def nothing(world):
    pass


def without_spot_role(world):
    """The service-linked role goes, as in an account that has never had a Spot instance."""
    try:
        world.aws("iam", "delete-role", "--role-name", "AWSServiceRoleForEC2Spot")
    except RuntimeError as e:
        if "NoSuchEntity" not in str(e):
            raise


def strayed(world):
    """Somebody changed by hand what karpctl made, a policy and a tag of its stack too: that is taken away."""
    stack = ("--stack-name", "Karpenter-demo")
    template = world.aws("cloudformation", "get-template", *stack)["TemplateBody"]
    other = template.replace('"sqs:GetQueueUrl"', '"sqs:ReceiveMessage"')  # less than it grants: more would be its owner's
    if other == template:
        raise RuntimeError("no policy of the stack is another now")
    world.aws("cloudformation", "update-stack", *stack, "--template-body", other, "--capabilities", "CAPABILITY_NAMED_IAM",
              "--parameters", "ParameterKey=ClusterName,UsePreviousValue=true",
              "--tags", "Key=karpctl.dev/cluster,Value=demo", "Key=old,Value=x")
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    world.aws("iam", "update-assume-role-policy", "--role-name", "demo-karpenter", "--policy-document", json.dumps(trust))
    found = world.eks("list-pod-identity-associations")["associations"][0]["associationId"]
    world.eks("update-pod-identity-association", "--association-id", found, "--role-arn", f"{ROLE}demo-node-group")
    node = f"{ROLE}KarpenterNodeRole-demo"
    tags = world.eks("describe-access-entry", "--principal-arn", node)["accessEntry"]["tags"]
    world.eks("delete-access-entry", "--principal-arn", node)
    world.eks("create-access-entry", "--principal-arn", node, "--type", "STANDARD", "--tags", json.dumps(tags))


def name_taken(world):
    """The stack cannot be made: somebody has a policy of that name. Its creation is undone."""
    world.aws("iam", "create-policy", "--policy-name", "KarpenterControllerZonalShiftPolicy-demo", "--policy-document", json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}))


def name_free(world):
    world.aws("iam", "delete-policy", "--policy-arn", f"arn:aws:iam::{ACCOUNT}:policy/KarpenterControllerZonalShiftPolicy-demo")


def own_key(world):
    """EBS volumes are encrypted by default, with a key of the account's own."""
    key = world.aws("kms", "create-key")["KeyMetadata"]["Arn"]
    world.aws("ec2", "enable-ebs-encryption-by-default")
    world.aws("ec2", "modify-ebs-default-kms-key-id", "--kms-key-id", key)


def looked_at(world):
    """Besides, somebody's node class names an instance profile of its own."""
    own_key(world)
    node_class = {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", "metadata": {"name": "own"}, "spec": {
        "instanceProfile": "own-profile", "amiSelectorTerms": [{"alias": "al2023@latest"}],
        "subnetSelectorTerms": [{"tags": {"karpenter.sh/discovery": "demo"}}],
        "securityGroupSelectorTerms": [{"tags": {"karpenter.sh/discovery": "demo"}}]}}
    subprocess.run(["kubectl", "--kubeconfig", world.stage.ready["kubeconfig"], "apply", "--filename", "-"], env=world.stage.env,
                   input=json.dumps(node_class), text=True, capture_output=True, check=True)


def looked(world):
    subprocess.run(["kubectl", "--kubeconfig", world.stage.ready["kubeconfig"], "delete", "ec2nodeclasses.karpenter.k8s.aws", "own"],
                   env=world.stage.env, capture_output=True, check=True)


def leftovers(world):
    """What Karpenter leaves behind when it ends before its node classes."""
    world.aws("iam", "create-instance-profile", "--instance-profile-name", "demo_4711")
    world.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", "demo_4711", "--role-name", "KarpenterNodeRole-demo")
    world.aws("ec2", "create-launch-template", "--launch-template-name", "karpenter.k8s.aws/1", "--launch-template-data",
              '{"InstanceType":"m5.large"}', "--tag-specifications",
              "ResourceType=launch-template,Tags=[{Key=karpenter.k8s.aws/cluster,Value=demo}]")


def policy_left(world):
    """CloudFormation let go of a policy of the release before in an upgrade, since the controller's role had it."""
    world.aws("iam", "create-policy", "--policy-name", "KarpenterControllerPolicy-demo", "--policy-document", json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}))


def policy_gone(world):
    """Without a look at the stack it stayed."""
    try:
        world.aws("iam", "delete-policy", "--policy-arn", f"arn:aws:iam::{ACCOUNT}:policy/KarpenterControllerPolicy-demo")
    except RuntimeError as e:
        if "NoSuchEntity" not in str(e):
            raise


def profile_left(world):
    """The Karpenter of a cluster of this name, which is gone, made an instance profile; and the nodes' role stayed."""
    world.aws("iam", "create-role", "--role-name", "KarpenterNodeRole-demo", "--assume-role-policy-document", json.dumps(
        {"Version": "2012-10-17",
         "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
    world.aws("iam", "create-instance-profile", "--instance-profile-name", "demo_4711", "--tags", "Key=kubernetes.io/cluster/demo,Value=owned")
    world.aws("iam", "create-open-id-connect-provider", "--url", f"https://{ISSUER}", "--client-id-list", "sts.amazonaws.com", "--tags",
              "Key=karpctl.dev/cluster,Value=demo")


def profile_gone(world):
    world.aws("iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}")
    world.aws("iam", "delete-instance-profile", "--instance-profile-name", "demo_4711")
    world.aws("iam", "delete-role", "--role-name", "KarpenterNodeRole-demo")


def by_access_entry(world):
    """The nodes are let in by an access entry alone: no row of aws-auth tells that there is something to remove."""
    must(world.stage.run([*BOOTSTRAP, "--node-access", "access-entry"]))


def by_irsa(world):
    """The controller got its credentials by the cluster's OIDC provider, which karpctl made."""
    must(world.stage.run(IRSA))


def let_in(world):
    """Root made the cluster, so the user is let in."""
    if world.state != LEFT:
        world.let_in()


def with_balancer(world):
    """A Service asks for a load balancer, which eksctl looks up before it deletes the Service."""
    let_in(world)
    if world.state != LEFT:
        kubectl = ["kubectl", "--kubeconfig", world.stage.ready["kubeconfig"]]
        subprocess.run([*kubectl, "delete", "service", "front", "--ignore-not-found"], env=world.stage.env, capture_output=True, check=True)
        subprocess.run([*kubectl, "create", "service", "loadbalancer", "front", "--tcp", "80"], env=world.stage.env, capture_output=True, check=True)


def broken_off(world, scene, action):
    """A work that ended half done, because somebody may not do this."""
    ran = world.as_user(without(printed(world.karpctl, SCENES[scene]), action), SCENES[scene].way.words)
    if not ran.code or action not in ran.out + ran.err:
        raise Failed(f"it is done without {action}, or does not name it\n{ran.text()}")


def stack_broken(world):
    """eksctl's stack could not be made whole: somebody may not make the NAT gateway."""
    broken_off(world, "new cluster", "ec2:CreateNatGateway")


def half_removed(world):
    """eksctl's stack of the node group could not be deleted."""
    world.let_in()
    broken_off(world, "removal of a new cluster", "eks:DeleteNodegroup")


def failed_cluster(world):
    """EKS could not make the control plane."""
    broken_off(world, "new cluster", "eks:CreateAddon")
    world.stage.call("POST", "settings", {"failed": world.stage.cluster})


def failing(kind):
    """What CloudFormation makes of this type fails when it is there, for a reason that nobody's permissions have to do with."""
    return lambda world: world.stage.call("POST", "settings", {"failing": kind})


@dataclass(frozen=True)
class Scene:
    """Where a work is done, and how it ends for who may do all of it."""

    name: str
    work: str
    way: Way
    prepare: object
    code: int = 0
    tidy: object = nothing
    options: tuple = ()
    given: tuple = ()  # what the policy is for and a removal is not told
    demands: list = field(default_factory=list)


KINDS = {"IPv6": ("--ip-family", "ipv6"), "private": ("--private",), "Fargate, demanded": ("--fargate", "--identity", "irsa", *GIVEN),
         "secrets key, demanded": ("--kms-key", KEY, *GIVEN)}
MOVES[False].update({kind: [*NEW, *options] for kind, options in KINDS.items()})


def made(kind):
    """A new cluster of this kind."""
    words = MOVES[False][kind]
    return Scene(f"new cluster, {kind}", "bootstrap", Way(f"new, {kind}", words, "empty", kind, words, existing=False), nothing,
                 options=KINDS[kind], demands=NEW_DEMANDS if "--tag" in KINDS[kind] else [])


def undone(kind):
    """One whose control plane fails."""
    words = MOVES[False][kind]
    return Scene(f"undone cluster, {kind}", "bootstrap", Way(f"undone, {kind}", words, "empty", "empty", words, existing=False),
                 failing("AWS::EKS::Cluster"), 1, failing(""), KINDS[kind])


def removed(kind):
    """The removal of such a cluster, which root has made."""
    words = [*NEW_DESTROY, *(("--identity", "irsa") if "irsa" in KINDS[kind] else ())]
    way = Way(f"removal, {kind}", words, kind, "empty", words, existing=False)
    return Scene(f"removal of a new cluster, {kind}", "destroy", way, let_in, options=KINDS[kind])


SCENES = {s.name: s for s in (
    Scene("creation", "bootstrap", Way("creation", BOOTSTRAP, "empty", "newest", BOOTSTRAP), without_spot_role),
    Scene("creation by IRSA", "bootstrap", Way("irsa", IRSA, "empty", "newest", IRSA), nothing, options=("--identity", "irsa")),
    Scene("upgrade", "bootstrap", Way("upgrade", BOOTSTRAP, "older", "newest", BOOTSTRAP), nothing),
    Scene("change", "bootstrap", Way("change", CHANGED, "newest", "newest", CHANGED), strayed, given=GIVEN),
    Scene("undone creation", "bootstrap", Way("undone", BOOTSTRAP, "empty", "empty", BOOTSTRAP), name_taken, 1, name_free),
    Scene("undone creation, private", "bootstrap", Way("undone-private", PRIVATE, "empty", "empty", PRIVATE), name_taken, 1, name_free, ("--private",)),
    Scene("new cluster", "bootstrap", Way("new", NEW, "empty", "newest", NEW, existing=False), nothing),
    Scene("broken cluster", "bootstrap", Way("broken", NEW, "empty", "newest", NEW, existing=False), stack_broken),
    Scene("failed cluster", "bootstrap", Way("failed", NEW, "empty", "newest", NEW, existing=False), failed_cluster),
    Scene("undone cluster", "bootstrap", Way("undone-cluster", NEW, "empty", "empty", NEW, existing=False),
          failing("AWS::EKS::Cluster"), 1, failing("")),
    Scene("undone node group", "bootstrap", Way("undone-group", NEW, "empty", "empty", NEW, existing=False),
          failing("AWS::EKS::Nodegroup"), 1, failing("")),
    *map(made, KINDS),
    *map(undone, ("IPv6", "private")),
    Scene("look", "doctor", Way("look", DOCTOR, "newest", "newest", DOCTOR), looked_at, tidy=looked),
    Scene("look beforehand", "doctor", Way("look-beforehand", BEFOREHAND, "empty", "empty", BEFOREHAND, existing=False), profile_left,
          tidy=profile_gone),
    Scene("removal", "destroy", Way("removal", DESTROY, "newest", "empty", DESTROY), leftovers),
    Scene("removal by IRSA", "destroy", Way("irsa-removal", [*DESTROY, "--identity", "irsa"], "empty", "empty", DESTROY), by_irsa,
          options=("--identity", "irsa")),
    Scene("removal of an access entry", "destroy", Way("entry-removal", DESTROY, "empty", "empty", DESTROY), by_access_entry),
    Scene("removal of what an upgrade left", "destroy", Way("left-removal", DESTROY, "newest", "empty", DESTROY), policy_left, tidy=policy_gone),
    Scene("removal of a new cluster", "destroy", Way("new-removal", NEW_DESTROY, "newest", "empty", NEW_DESTROY, existing=False), with_balancer),
    Scene("removal of the rest", "destroy", Way("rest", NEW_DESTROY, "newest", "empty", NEW_DESTROY, existing=False), half_removed),
    *map(removed, ("IPv6", "private", "Fargate, demanded")),
)}
# scenes of minutes each, for the few actions that the usual ones do not call for
RARE = {"broken cluster", "failed cluster", "undone cluster", "undone node group",
        *(name for kind in KINDS if kind != "Fargate, demanded" for name in SCENES if name.endswith(f"cluster, {kind}"))}
DEMANDED_BY_IRSA = [*IRSA, *GIVEN]
DEMANDED_SCENES = {s.name: s for s in (
    Scene("demanded", "bootstrap", Way("demanded", CHANGED, "empty", "newest", CHANGED), nothing, given=GIVEN, demands=DEMANDS),
    Scene("demanded by IRSA", "bootstrap", Way("demanded by IRSA", DEMANDED_BY_IRSA, "empty", "newest", DEMANDED_BY_IRSA), nothing,
          options=("--identity", "irsa"), given=GIVEN, demands=DEMANDS),
)}
# what is given, and what is left out of it
DEMANDED = [(DEMANDED_SCENES["demanded"], lacks) for lacks in (None, "--tag", "--permissions-boundary")]
DEMANDED.append((DEMANDED_SCENES["demanded by IRSA"], None))
# actions that another scene than the work's first calls for
CALLED_FOR = {
    "bootstrap": {
        **dict.fromkeys(("iam:DetachRolePolicy", "iam:DeleteRolePermissionsBoundary", "cloudformation:GetTemplate", "cloudformation:ListStackResources",
                         "iam:ListAttachedRolePolicies"), "upgrade"),
        **dict.fromkeys(("iam:CreatePolicyVersion", "iam:UpdateRole", "iam:UpdateRoleDescription", "iam:UpdateAssumeRolePolicy", "iam:UntagRole",
                         "sqs:UntagQueue", "events:UntagResource", "events:ListTagsForResource", "iam:GetPolicyVersion",
                         "iam:PutRolePermissionsBoundary", "eks:UpdatePodIdentityAssociation",
                         "eks:DeleteAccessEntry"), "change"),
        **dict.fromkeys(("iam:DeleteRole", "iam:DeleteRolePolicy", "iam:ListRolePolicies", "iam:DeletePolicy", "iam:GetPolicy",
                         "iam:ListPolicyVersions", "iam:DeletePolicyVersion", "iam:ListEntitiesForPolicy", "sqs:DeleteQueue",
                         "events:DeleteRule", "events:RemoveTargets", "events:ListTargetsByRule"), "undone creation"),
        **dict.fromkeys(("iam:GetOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:TagOpenIDConnectProvider"),
                        "creation by IRSA"),
        **dict.fromkeys((
            "ec2:DeleteVpc", "ec2:DetachInternetGateway", "ec2:DeleteInternetGateway", "ec2:DeleteSubnet", "ec2:DeleteRoute",
            "ec2:DisassociateRouteTable", "ec2:DeleteRouteTable", "ec2:DeleteNatGateway", "ec2:DisassociateAddress", "ec2:ReleaseAddress",
            "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:DescribeInstances", "eks:DeleteCluster"), "undone cluster"),
        **dict.fromkeys(("eks:DeleteNodegroup", "ec2:DeleteLaunchTemplate"), "undone node group"),
        **dict.fromkeys(("ec2:DisassociateVpcCidrBlock", "ec2:DeleteEgressOnlyInternetGateway"), "undone cluster, IPv6"),
        "ec2:DeleteVpcEndpoints": "undone cluster, private",
        **dict.fromkeys(("iam:PutRolePolicy", "iam:GetRolePolicy"), "new cluster, IPv6"),
        **dict.fromkeys(("iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"), "undone creation, private"),
        "cloudformation:UpdateTerminationProtection": "broken cluster",
    },
    "destroy": {**dict.fromkeys(("iam:GetOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"), "removal by IRSA"),
                **dict.fromkeys(("cloudformation:GetTemplate", "cloudformation:ListStackResources"), "removal of what an upgrade left"),
                "eks:DescribeAccessEntry": "removal of an access entry"},
    "doctor": dict.fromkeys(("iam:GetPolicy", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListOpenIDConnectProviders",
                               "iam:GetOpenIDConnectProvider", "eks:ListClusters", "events:ListRules"), "look beforehand"),
}
FIRST = {"bootstrap": "creation", "doctor": "look", "destroy": "removal"}


@dataclass
class Grant:
    """The whole policy in a scene, or the policy without one action of it."""

    scene: Scene
    policy: dict
    action: str | None = None

    @property
    def way(self):
        return self.scene.way

    @property
    def key(self):
        return (self.scene.work,)

    @property
    def name(self):
        return f"without {self.action}" if self.action else f"whole, {self.scene.name}"

    def run(self, world):
        half = world.state == LEFT
        ran = self.try_it(world)
        if half and self.action not in ran.out + ran.err:  # what it is for has gone already
            super(Operated, world).bring(False, "newest")
            ran = self.try_it(world)
        said = ran.out + ran.err
        if self.action is None:
            # the doctor of somebody who may only look says, rightly, that they may not bootstrap
            if self.scene.work == "doctor" and DENIED.search(said) or self.scene.work != "doctor" and (
                    ran.code != self.scene.code or "not authorized" in said or "AccessDenied" in said):
                raise Failed(f"the whole policy does not suffice\n{ran.text()}")
            if self.scene.name != "look":
                self.settle(world)
            return "suffices"
        self.settle(world)
        if not re.search(rf"\b{re.escape(self.action)}(?!\w)", said):
            raise Failed(f"it is not needed, or not named\n{ran.text()}")
        return "needed" if ran.code or self.scene.work == "doctor" else "said"

    def try_it(self, world):
        self.scene.prepare(world)
        policy = without(self.policy, self.action) if self.action else self.policy
        policy = {**policy, "Statement": [*policy["Statement"], *self.scene.demands]}
        try:
            ran = world.as_user(policy, self.way.words)
        finally:
            self.scene.tidy(world)
        world.state = self.way.end if ran.code or self.way.end != LEFT else "empty"
        return ran

    def settle(self, world):
        """Half done is not where the next can begin: it is cleared away, by the user where they made the cluster, else by root."""
        if self.scene.work != "doctor" and self.way.end != LEFT:
            # a removal is not told what lies in a closed network
            options = [option for option in self.scene.options if option != "--private"]
            words = [*DESTROY, *options] if self.way.existing else NEW_DESTROY
            must(world.stage.run(words, env={} if self.way.existing else world.keys))
            world.state = "empty"


@dataclass
class Demanded(Grant):
    """The whole policy beside denials of an organisation, which ask for what the command gives, or for what it lacks."""

    lacks: str | None = None

    @property
    def name(self):
        return f"{self.scene.name}, without {self.lacks}" if self.lacks else f"{self.scene.name}, and given"

    def run(self, world):
        policy = {**self.policy, "Statement": [*self.policy["Statement"], *self.scene.demands]}
        words = list(self.way.words)
        if self.lacks:
            at = words.index(self.lacks)
            del words[at:at + 2]
        ran = world.as_user(policy, words)
        self.settle(world)
        said = ran.out + ran.err
        if not self.lacks:
            if ran.code:
                raise Failed(f"what is demanded is not given\n{ran.text()}")
            return "suffices"
        if not ran.code or f"`{self.lacks} " not in said or "explicitly" not in said:
            raise Failed(f"it is not refused, or without naming {self.lacks}\n{ran.text()}")
        return "refused"


def without(policy, action):
    statements = [{**s, "Action": [a for a in s["Action"] if a != action]} for s in policy["Statement"]]
    return {**policy, "Statement": [s for s in statements if s["Action"]]}


def printed(karpctl, scene):
    words = [str(karpctl), "render", "operator-policy", "--for", scene.work, "--karpenter-version", NEWEST, "--account-id", ACCOUNT,
             "--region", "us-west-2", "--cluster-name", "demo", "-o", "json", *scene.options, *scene.given]
    words += ["--existing-cluster"] if scene.way.existing else []
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True, cwd="/").stdout)


def actions_of(policy):
    return sorted({a for s in policy["Statement"] for a in s["Action"]})


def grants(args, figures):
    found = []
    for work in args.work or FIRST:
        scenes = [s for s in SCENES.values() if s.work == work and (not args.scene or s.name == args.scene)]
        if args.usual:
            scenes = [s for s in scenes if s.name not in RARE]
        policies = {s.name: printed(args.karpctl, s) for s in scenes}
        actions = sorted({a for p in policies.values() for a in actions_of(p)})
        if args.action or args.whole:
            picked = [action for action in args.action or [] if action in actions]
        else:
            picked = [actions[n - 1] for n in chosen(len(actions), args.sample)]
        figures.row((work,), len(actions))
        more = [] if args.action else [Grant(s, policies[s.name]) for s in scenes]
        for action in picked:
            scene = SCENES[args.scene] if args.scene else calls_for(work, action, policies)
            more.append(Grant(lasting(scene), policies[scene.name], action))
        if work == "bootstrap" and not args.action:
            more += [Demanded(scene, printed(args.karpctl, scene), lacks=lacks) for scene, lacks in DEMANDED
                     if args.scene in (None, scene.name)]
        if not (args.action or args.scene or args.sample or args.whole or args.usual):
            figures.keep((work,), {g.name for g in more})
        found += [g for g in more if not (args.go_on and figures.has(g.key, g.name))]
    return found


def calls_for(work, action, policies):
    """The scene that calls for an action: the one named for it, else the work's first, else the first whose policy has it."""
    names = [CALLED_FOR[work].get(action), FIRST[work], *policies]
    return SCENES[next(n for n in names if n and action in actions_of(policies[n]))]


def lasting(scene):
    """A scene whose cluster took minutes to make, so that one is used for as many removals as fail."""
    if scene.name != "removal of a new cluster":
        return scene
    return replace(scene, way=replace(scene.way, start=LEFT, end=LEFT))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments(parser)
    parser.add_argument("--work", action="append", choices=list(FIRST))
    parser.add_argument("--scene", choices=[*SCENES, *DEMANDED_SCENES], help="only this one")
    parser.add_argument("--whole", action="store_true", help="only the whole policies, in every scene")
    parser.add_argument("--usual", action="store_true", help="without the scenes of rare clusters, and of those that fail half made")
    parser.add_argument("--action", action="append", help="only without this action")
    parser.add_argument("--sample", type=int, default=0, help="so many actions of each work; 0: every one")
    args = parser.parse_args()
    figures = Figures(args)
    found = grants(args, figures)
    if unknown := sorted({*(args.action or [])} - {g.action for g in found}) if not args.go_on else []:
        parser.error(f"no policy of these works has {', '.join(unknown)}")
    failures = Trials(args, figures, found, Operated).all()
    say(f"{figures.count('suffices')} scenes end well with the whole policy; {figures.count('needed')} actions are needed, and named when "
        f"they are missing; {figures.count('said')} are missed by a warning; {figures.count('failed')} fail")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
