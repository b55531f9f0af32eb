#!/usr/bin/env bash
# What the karpenter module of terraform-aws-modules/eks makes (modules/karpenter/main.tf of v21), and what its example
# (examples/karpenter) installs with it, on a cluster that is there. The service account has a name of its own (service_account).
set -euo pipefail
. "$(dirname "$0")/common.sh"
suffix=20260427162218000100000001
trust() { printf '{"Version": "2012-10-17", "Statement": [{"Sid": "%s", "Effect": "Allow", "Action": %s, "Principal": {"Service": "%s"}}]}' "$1" "$2" "$3"; }
controller=KarpenterController-$suffix
aws iam create-role --role-name "$controller" --description "Karpenter controller IAM role" \
  --assume-role-policy-document "$(trust PodIdentity '["sts:TagSession", "sts:AssumeRole"]' pods.eks.amazonaws.com)"
policy=$(aws iam create-policy --policy-name "$controller" --query Policy.Arn --output text --policy-document \
  '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*", "iam:*", "eks:DescribeCluster", "ssm:GetParameter", "pricing:GetProducts", "sqs:*"], "Resource": "*"}]}')
aws iam attach-role-policy --role-name "$controller" --policy-arn "$policy"
node=Karpenter-$CLUSTER_NAME-$suffix
aws iam create-role --role-name "$node" --assume-role-policy-document "$(trust EKSNodeAssumeRole '"sts:AssumeRole"' ec2.amazonaws.com)"
for name in AmazonEKSWorkerNodePolicy AmazonEC2ContainerRegistryPullOnly AmazonEKS_CNI_Policy; do
  aws iam attach-role-policy --role-name "$node" --policy-arn "arn:aws:iam::aws:policy/$name"
done
url=$(aws sqs create-queue --queue-name "Karpenter-$CLUSTER_NAME" --attributes MessageRetentionPeriod=300,SqsManagedSseEnabled=true --query QueueUrl --output text)
queue=$(aws sqs get-queue-attributes --queue-url "$url" --attribute-names QueueArn --query Attributes.QueueArn --output text)
rule() {
  aws events put-rule --name "Karpenter$1-$suffix" --event-pattern "{\"source\": [\"$2\"], \"detail-type\": [\"$3\"]}" --tags "Key=ClusterName,Value=$CLUSTER_NAME"
  aws events put-targets --rule "Karpenter$1-$suffix" --targets "Id=KarpenterInterruptionQueueTarget,Arn=$queue"
}
rule HealthEvent aws.health "AWS Health Event"
rule SpotInterrupt aws.ec2 "EC2 Spot Instance Interruption Warning"
aws eks create-access-entry --cluster-name "$CLUSTER_NAME" --principal-arn "arn:aws:iam::$account:role/$node" --type EC2_LINUX
aws eks create-addon --cluster-name "$CLUSTER_NAME" --addon-name eks-pod-identity-agent
aws eks wait addon-active --cluster-name "$CLUSTER_NAME" --addon-name eks-pod-identity-agent
aws eks create-pod-identity-association --cluster-name "$CLUSTER_NAME" --namespace kube-system --service-account "$CLUSTER_NAME-karpenter" \
  --role-arn "arn:aws:iam::$account:role/$controller"
# The module's example tags the private subnets and the security group of the nodes, not the cluster's.
subnets=$(value "['resourcesVpcConfig']['subnetIds']" | tr -d "[],'")
# shellcheck disable=SC2086
aws ec2 create-tags --resources ${subnets%% *} --tags "Key=karpenter.sh/discovery,Value=$CLUSTER_NAME"
kubectl label nodes --all karpenter.sh/controller=true
aws eks update-cluster-config --name "$CLUSTER_NAME" --zonal-shift-config enabled=true
cat > values.yaml <<YAML
nodeSelector:
  karpenter.sh/controller: 'true'
dnsPolicy: Default
serviceAccount:
  name: $CLUSTER_NAME-karpenter
settings:
  clusterName: $CLUSTER_NAME
  clusterEndpoint: $(value "['endpoint']")
  interruptionQueue: Karpenter-$CLUSTER_NAME
  enableZonalShift: true
webhook:
  enabled: false
YAML
helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version 1.14.1 --namespace kube-system --values values.yaml --wait
kubectl apply -f - <<YAML
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec:
  amiSelectorTerms: [{alias: bottlerocket@latest}]
  role: $node
  subnetSelectorTerms: [{tags: {karpenter.sh/discovery: $CLUSTER_NAME}}]
  securityGroupSelectorTerms: [{tags: {karpenter.sh/discovery: $CLUSTER_NAME}}]
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: default}
spec:
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      requirements:
        - {key: karpenter.k8s.aws/instance-category, operator: In, values: [c, m, r]}
        - {key: karpenter.k8s.aws/instance-generation, operator: Gt, values: ["2"]}
  limits: {cpu: 1000}
  disruption: {consolidationPolicy: WhenEmpty, consolidateAfter: 30s}
YAML
