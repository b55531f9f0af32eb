#!/usr/bin/env python3
"""Proves that strict IAM goes by conditions as IAM does: `python3 tests/lab/test_strict.py` (a minute).

An Allow whose condition asks for a key that the request does not have does not hold.
"""

import json
import subprocess
import unittest

from test_lab import WithLab

ACCOUNT = "123456789012"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
POLICY = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
OTHER = "arn:aws:iam::aws:policy/AdministratorAccess"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


class Conditions(WithLab):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.aws("iam", "create-user", "--user-name", "narrow")
        key, secret = cls.lab.aws("iam", "create-access-key", "--user-name", "narrow", "--query",
                                  "AccessKey.[AccessKeyId,SecretAccessKey]").split()
        cls.env = {**cls.lab.env, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        cls.lab.aws("iam", "create-policy", "--policy-name", "boundary", "--policy-document", json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))

    def may(self, *statements):
        """What the user is allowed: (actions, resource, condition)."""
        allowed = [{"Effect": "Allow", "Action": action, "Resource": on, **({"Condition": condition} if condition else {})}
                   for action, on, condition in statements]
        self.lab.aws("iam", "put-user-policy", "--user-name", "narrow", "--policy-name", "p", "--policy-document",
                     json.dumps({"Version": "2012-10-17", "Statement": allowed}))
        self.lab.call("POST", "settings", {"strict": True})

    def does(self, *argv):
        return subprocess.run(["aws", *argv], env=self.env, capture_output=True, text=True)

    def done(self, *argv):
        ran = self.does(*argv)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def denied(self, action, *argv):
        self.assertIn(f"not authorized to perform: {action} on", self.does(*argv).stderr)

    def test_what_is_not_allowed_is_denied_in_the_words_of_each_service(self):
        self.may(("s3:ListAllMyBuckets", "*", None))
        for argv, code in ((("eks", "list-clusters"), "AccessDeniedException"), (("iam", "list-roles"), "AccessDenied"),
                           (("ec2", "describe-vpcs"), "UnauthorizedOperation")):
            self.assertIn(code, self.does(*argv).stderr)

    def test_a_stack_is_made_with_its_callers_permissions(self):
        self.may(("cloudformation:*", "*", None))
        template = json.dumps({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "role-poor", "AssumeRolePolicyDocument": json.loads(TRUST)}}}})
        self.done("cloudformation", "create-stack", "--stack-name", "poor", "--template-body", template,
                  "--capabilities", "CAPABILITY_NAMED_IAM")
        events = self.lab.aws("cloudformation", "describe-stack-events", "--stack-name", "poor")
        self.assertIn(f"not authorized to perform: iam:CreateRole on resource: arn:aws:iam::{ACCOUNT}:role/role-poor", events)

    def test_a_boundary_is_that_of_the_request_or_of_the_role(self):
        bounded = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}
        self.may(("iam:CreateRole", "*", bounded), ("iam:AttachRolePolicy", "*", bounded), ("iam:PutRolePermissionsBoundary", "*", bounded))
        create = ("iam", "create-role", "--assume-role-policy-document", TRUST, "--role-name")
        self.denied("iam:CreateRole", *create, "free")
        self.denied("iam:CreateRole", *create, "free", "--permissions-boundary", OTHER)
        self.done(*create, "bound", "--permissions-boundary", BOUNDARY)
        self.lab.aws(*create, "free")
        self.done("iam", "attach-role-policy", "--role-name", "bound", "--policy-arn", OTHER)
        attach = ("iam", "attach-role-policy", "--role-name", "free", "--policy-arn", OTHER)
        self.denied("iam:AttachRolePolicy", *attach)
        self.done("iam", "put-role-permissions-boundary", "--role-name", "free", "--permissions-boundary", BOUNDARY)
        self.done(*attach)
        self.denied("iam:DeleteRolePermissionsBoundary", "iam", "delete-role-permissions-boundary", "--role-name", "free")

    def test_a_policy_is_attached_by_its_arn_to_a_role_with_its_path(self):
        self.lab.aws("iam", "create-role", "--role-name", "nodes", "--path", "/team/", "--assume-role-policy-document", TRUST)
        attach = ("iam", "attach-role-policy", "--role-name", "nodes", "--policy-arn")
        named = {"ArnEquals": {"iam:PolicyARN": POLICY}}
        self.may(("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/nodes", named))
        self.denied("iam:AttachRolePolicy", *attach, POLICY)
        self.may(("iam:AttachRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/team/nodes", named))
        self.done(*attach, POLICY)
        self.denied("iam:AttachRolePolicy", *attach, OTHER)

    def test_a_role_is_passed_to_a_service(self):
        self.lab.aws("iam", "create-role", "--role-name", "passed", "--assume-role-policy-document", TRUST)
        self.lab.aws("iam", "create-instance-profile", "--instance-profile-name", "passed")
        add = ("iam", "add-role-to-instance-profile", "--instance-profile-name", "passed", "--role-name", "passed")
        for service, ends in (("pods.eks", self.denied), ("ec2", lambda _, *argv: self.done(*argv))):
            self.may(("iam:AddRoleToInstanceProfile", "*", None),
                     ("iam:PassRole", "*", {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}))
            ends("iam:PassRole", *add)

    def test_tags_are_those_of_the_request(self):
        vpc = self.lab.aws("ec2", "create-vpc", "--cidr-block", "10.9.0.0/16", "--query", "Vpc.VpcId").strip()
        self.may(("ec2:*", "*", {"ForAllValues:StringEquals": {"aws:TagKeys": ["karpenter.sh/discovery"]}, "Null": {"aws:TagKeys": "false"}}))
        tag = ("ec2", "create-tags", "--resources", vpc, "--tags")
        self.done(*tag, "Key=karpenter.sh/discovery,Value=demo")
        self.denied("ec2:CreateTags", *tag, "Key=karpenter.sh/discovery,Value=demo", "Key=Owner,Value=x")
        self.denied("ec2:DeleteTags", "ec2", "delete-tags", "--resources", vpc)
        self.done("ec2", "delete-tags", "--resources", vpc, "--tags", "Key=karpenter.sh/discovery")

    def test_tags_are_those_of_what_is_deleted(self):
        for cluster in ("demo", "other"):
            self.lab.aws("ec2", "create-launch-template", "--launch-template-name", cluster, "--launch-template-data", '{"InstanceType":"m5.large"}',
                         "--tag-specifications", f"ResourceType=launch-template,Tags=[{{Key=eks:eks-cluster-name,Value={cluster}}}]")
        self.may(("ec2:DeleteLaunchTemplate", "*", {"StringEquals": {"aws:ResourceTag/eks:eks-cluster-name": "demo"}}))
        self.denied("ec2:DeleteLaunchTemplate", "ec2", "delete-launch-template", "--launch-template-name", "other")
        self.done("ec2", "delete-launch-template", "--launch-template-name", "demo")

    def test_what_cloudformation_calls_is_told_apart(self):
        self.may(("cloudformation:*", "*", None), ("ec2:DescribeVpcs", "*", None),
                 ("ec2:*", "*", {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}))
        self.denied("ec2:CreateVpc", "ec2", "create-vpc", "--cidr-block", "10.8.0.0/16")
        template = json.dumps({"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.8.0.0/16"}}}})
        self.done("cloudformation", "create-stack", "--stack-name", "told", "--template-body", template)
        events = self.lab.aws("cloudformation", "describe-stack-events", "--stack-name", "told")
        self.assertNotIn("not authorized", events)
        self.assertIn("CREATE_COMPLETE", events)

    def test_a_name_that_cloudformation_makes_up_is_cut(self):
        self.may(("cloudformation:*", "*", None), ("iam:*", f"arn:aws:iam::{ACCOUNT}:role/eksctl-test-cluster-micro-nodegroup-*", None))
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}
        template = json.dumps({"Resources": {"NodeInstanceRole": role}})
        stack = "eksctl-test-cluster-micro-nodegroup-micro-ng"
        self.done("cloudformation", "create-stack", "--stack-name", stack, "--template-body", template, "--capabilities", "CAPABILITY_IAM")
        events = self.lab.aws("cloudformation", "describe-stack-events", "--stack-name", stack)
        self.assertIn("iam:CreateRole on resource: arn:aws:iam::123456789012:role/eksctl-test-cluster-micro-nodegrou-NodeInstanceRole-", events)


if __name__ == "__main__":
    unittest.main(verbosity=2)
