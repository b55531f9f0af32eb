#!/usr/bin/env python3
"""Proves what the gate's CloudFormation does as the real one: `python3 tests/lab/test_cloudformation.py` (half a minute)."""

import json
import unittest

from test_lab import WithLab


class CloudFormation(WithLab):
    TEMPLATE = """
Parameters: {Name: {Type: String}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "role-${Name}"
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub "policy-${Name}"
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name}}
"""

    def cfn(self, action, name, template=TEMPLATE, **kw):
        more = []
        if action in ("create-stack", "update-stack"):
            more = ["--template-body", template, "--parameters", f"ParameterKey=Name,ParameterValue={kw.pop('value', name)}"]
            more += kw.pop("capabilities", ["--capabilities", "CAPABILITY_NAMED_IAM"])
        return self.lab.aws("cloudformation", action, "--stack-name", name, *more, **kw)

    def status(self, name):
        return self.cfn_query("describe-stacks", name, "Stacks[0].StackStatus").strip()

    def cfn_query(self, action, name, query):
        return self.lab.aws("cloudformation", action, "--stack-name", name, "--query", query)

    def test_capabilities(self):
        code, out = self.cfn("create-stack", "caps", capabilities=[], ok=False)
        self.assertNotEqual(code, 0)
        self.assertIn("Requires capabilities : [CAPABILITY_NAMED_IAM]", out)
        self.cfn("create-stack", "caps")
        self.assertEqual(self.cfn_query("describe-stacks", "caps", "Stacks[0].Capabilities").strip(), "CAPABILITY_NAMED_IAM")

    def test_pace_and_events(self):
        self.lab.call("POST", "settings", {"pace": 1})
        self.cfn("create-stack", "paced")
        self.assertEqual([self.status("paced"), self.status("paced")], ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"])
        events = self.cfn_query("describe-stack-events", "paced", "StackEvents[].[LogicalResourceId,ResourceStatus]")
        for line in ("paced\tCREATE_COMPLETE", "Queue\tCREATE_IN_PROGRESS", "Role\tCREATE_COMPLETE"):
            self.assertIn(line, events)
        self.cfn("delete-stack", "paced")
        self.assertEqual(self.status("paced"), "DELETE_IN_PROGRESS")
        self.assertIn("does not exist", self.lab.aws("cloudformation", "describe-stacks", "--stack-name", "paced", ok=False)[1])

    def test_update_without_change(self):
        self.cfn("create-stack", "same")
        self.assertIn("No updates are to be performed.", self.cfn("update-stack", "same", ok=False)[1])
        self.assertIn("does not exist", self.cfn("update-stack", "none", ok=False)[1])

    def test_a_named_resource_is_not_made_anew(self):
        """A default that is only written out is a replacement; so is its removal. What can be changed is."""
        named = 'ManagedPolicyName: !Sub "policy-${Name}"\n'
        spelled = self.TEMPLATE.replace(named, named + "      Path: /\n")
        self.assertNotEqual(spelled, self.TEMPLATE)
        refusal = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename policy-{} and"
        for name, before, after in (("plain", self.TEMPLATE, spelled), ("spelled", spelled, self.TEMPLATE)):
            self.cfn("create-stack", name, template=before)
            self.cfn("update-stack", name, template=after)
            self.assertEqual(self.status(name), "UPDATE_ROLLBACK_COMPLETE")
            failed = "StackEvents[?ResourceStatus=='UPDATE_FAILED'].[LogicalResourceId,ResourceStatusReason]"
            self.assertIn(f"Policy\t{refusal.format(name)}", self.cfn_query("describe-stack-events", name, failed))
            self.cfn("update-stack", name, template=before.replace("sqs:*", "sqs:SendMessage"))
            self.assertEqual(self.status(name), "UPDATE_COMPLETE")
        file = self.lab.dir / "spelled.yaml"
        file.write_text(spelled)
        code, out = self.lab.aws("cloudformation", "deploy", "--stack-name", "plain", "--template-file", str(file), "--capabilities",
                                 "CAPABILITY_NAMED_IAM", "--parameter-overrides", "Name=plain", ok=False)
        self.assertNotEqual(code, 0, out)
        self.assertEqual(self.status("plain"), "UPDATE_ROLLBACK_COMPLETE")

    def test_a_role_that_exists_rolls_back(self):
        self.cfn("create-stack", "first", value="taken")
        self.cfn("create-stack", "second", value="taken")
        self.assertEqual(self.status("second"), "ROLLBACK_COMPLETE")
        events = self.cfn_query("describe-stack-events", "second",
                                "StackEvents[?ResourceStatus=='CREATE_FAILED'].[LogicalResourceId,ResourceStatusReason]")
        self.assertIn("Role with name role-taken already exists", events)
        self.assertIn("ROLLBACK_COMPLETE state and can not be updated",
                      self.cfn("update-stack", "second", value="taken", ok=False)[1])
        self.lab.aws("iam", "get-role", "--role-name", "role-taken")

    def test_a_role_in_use_cannot_be_deleted(self):
        self.cfn("create-stack", "used")
        self.lab.aws("iam", "create-instance-profile", "--instance-profile-name", "foreign")
        self.lab.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", "foreign", "--role-name", "role-used")
        self.cfn("delete-stack", "used")
        self.assertEqual(self.status("used"), "DELETE_FAILED")

    def test_a_role_with_policies_of_others_cannot_be_deleted(self):
        self.cfn("create-stack", "given")
        role = ("--role-name", "role-given")
        managed = (*role, "--policy-arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")
        inline = (*role, "--policy-name", "own")
        some = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}'
        for give, take, words in (
                (("attach-role-policy", *managed), ("detach-role-policy", *managed), "must detach all policies first"),
                (("put-role-policy", *inline, "--policy-document", some), ("delete-role-policy", *inline), "must delete policies first")):
            self.lab.aws("iam", *give)
            self.cfn("delete-stack", "given")
            self.assertEqual(self.status("given"), "DELETE_FAILED")
            self.assertIn(words, self.cfn_query("describe-stack-events", "given", "StackEvents[].ResourceStatusReason"))
            self.lab.aws("iam", *take)
        self.cfn("delete-stack", "given")
        self.assertIn("does not exist", self.lab.aws("cloudformation", "describe-stacks", "--stack-name", "given", ok=False)[1])

    def test_a_policy_that_is_attached_cannot_be_deleted(self):
        """Why the guide's own order of cleaning up fails: the controller's role still has the stack's policies."""
        self.cfn("create-stack", "attached")
        self.lab.aws("iam", "create-role", "--role-name", "controller", "--assume-role-policy-document", json.dumps({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))
        attachment = ("--role-name", "controller", "--policy-arn", "arn:aws:iam::123456789012:policy/policy-attached")
        self.lab.aws("iam", "attach-role-policy", *attachment)
        without = self.TEMPLATE[:self.TEMPLATE.index("  Policy:")] + self.TEMPLATE[self.TEMPLATE.index("  Queue:"):]
        self.cfn("update-stack", "attached", template=without)
        self.assertEqual(self.status("attached"), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self.assertEqual(self.status("attached"), "UPDATE_COMPLETE")
        self.assertNotIn("Policy", self.cfn_query("list-stack-resources", "attached", "StackResourceSummaries[].LogicalResourceId"))
        self.assertIn("policy-attached", self.lab.aws("iam", "list-attached-role-policies", "--role-name", "controller"))
        self.assertIn("already exists", self.cfn("update-stack", "attached", ok=False)[1] + self.cfn_query(
            "describe-stack-events", "attached", "StackEvents[].ResourceStatusReason"))
        self.lab.aws("iam", "detach-role-policy", *attachment)
        self.lab.aws("iam", "delete-policy", *attachment[2:])
        self.cfn("update-stack", "attached")
        self.lab.aws("iam", "attach-role-policy", *attachment)
        self.cfn("delete-stack", "attached")
        self.assertEqual(self.status("attached"), "DELETE_FAILED")
        self.assertIn("Cannot delete a policy attached to entities", self.cfn_query(
            "describe-stack-events", "attached", "StackEvents[?ResourceStatus=='DELETE_FAILED'].ResourceStatusReason"))
        self.lab.aws("iam", "detach-role-policy", *attachment)
        self.cfn("delete-stack", "attached")
        self.assertIn("does not exist", self.lab.aws("cloudformation", "describe-stacks", "--stack-name", "attached", ok=False)[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
