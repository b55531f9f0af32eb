#!/usr/bin/env bash
# What `eksctl create cluster` makes of a `karpenter:` block (pkg/cfn/builder/karpenter.go, pkg/actions/karpenter/create.go and
# pkg/karpenter/karpenter.go of eksctl 0.230), on a cluster that is there. $1: karpctl, only to render the node pool.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cat > stack.json <<JSON
{"Description": "Karpenter Stack [created and managed by eksctl]", "Resources": {
 "KarpenterNodeRole": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "eksctl-KarpenterNodeRole-$CLUSTER_NAME", "Path": "/",
  "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"], "Principal": {"Service": ["ec2.amazonaws.com"]}}]},
  "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly", "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
   "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy", "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]}},
 "KarpenterNodeInstanceProfile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"InstanceProfileName": "eksctl-KarpenterNodeInstanceProfile-$CLUSTER_NAME", "Path": "/", "Roles": [{"Ref": "KarpenterNodeRole"}]}},
 "KarpenterControllerPolicy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "eksctl-KarpenterControllerPolicy-$CLUSTER_NAME",
  "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", "Action": ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:CreateTags",
   "ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeLaunchTemplates",
   "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DeleteLaunchTemplate", "ec2:RunInstances", "ec2:TerminateInstances", "ec2:DescribeImages",
   "ec2:DescribeSpotPriceHistory", "ec2:DescribeCapacityReservations", "iam:PassRole", "iam:CreateServiceLinkedRole", "iam:GetInstanceProfile",
   "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:TagInstanceProfile", "iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile",
   "iam:ListInstanceProfiles", "iam:ListInstanceProfilesForRole", "eks:DescribeCluster", "ssm:GetParameter", "pricing:GetProducts"]}]}}}}}
JSON
aws cloudformation deploy --stack-name "eksctl-$CLUSTER_NAME-karpenter" --template-file stack.json --capabilities CAPABILITY_NAMED_IAM \
  --tags "alpha.eksctl.io/cluster-name=$CLUSTER_NAME"
controller_role "eksctl-$CLUSTER_NAME-iamservice-role" "eksctl-KarpenterControllerPolicy-$CLUSTER_NAME"
map_nodes "eksctl-KarpenterNodeRole-$CLUSTER_NAME"
discoverable
profile="eksctl-KarpenterNodeInstanceProfile-$CLUSTER_NAME"
cat > values.yaml <<YAML
clusterName: $CLUSTER_NAME
clusterEndpoint: $(value "['endpoint']")
aws: {defaultInstanceProfile: $profile}
settings: {defaultInstanceProfile: $profile, clusterName: $CLUSTER_NAME, clusterEndpoint: "$(value "['endpoint']")", interruptionQueueName: $CLUSTER_NAME}
serviceAccount: {create: true, name: karpenter, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::$account:role/eksctl-$CLUSTER_NAME-iamservice-role"}}
YAML
helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version 1.14.1 --namespace karpenter --create-namespace --values values.yaml --wait
"$1" render node-pool --cluster-name "$CLUSTER_NAME" | sed "s/KarpenterNodeRole-/eksctl-&/" | kubectl apply -f -
