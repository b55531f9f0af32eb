#!/usr/bin/env bash
# What the guide of Karpenter v0.17.0 makes, with a Provisioner and an AWSNodeTemplate, on a cluster that is there. The guide has eksctl
# make the controller's role and the row of aws-auth; here it is what eksctl makes of these calls. $1: karpctl, only to render the
# documents, which the guide has as files.
set -euo pipefail
release=0.17.0
. "$(dirname "$0")/common.sh"
render() { "$1" render "$2" --cluster-name "$CLUSTER_NAME" --karpenter-version "$release" --identity irsa; }
# As the guide's template, it has no default for the parameter and no path of the policy, and no remarks.
render "$1" cloudformation | sed -e '/^ *#/d' -e '/^    Default:/d' -e '/ManagedPolicyName:/{n;/Path:/d}' > cloudformation.yaml
render "$1" helm-values > values.yaml
render "$1" node-pool > node-pool.yaml
aws cloudformation deploy --stack-name "Karpenter-$CLUSTER_NAME" --template-file cloudformation.yaml --capabilities CAPABILITY_NAMED_IAM \
  --parameter-overrides "ClusterName=$CLUSTER_NAME"
map_nodes "KarpenterNodeRole-$CLUSTER_NAME"
controller_role "$CLUSTER_NAME-karpenter" "KarpenterControllerPolicy-$CLUSTER_NAME"
aws iam create-service-linked-role --aws-service-name spot.amazonaws.com || true
discoverable
helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version "v$release" --namespace karpenter --create-namespace \
  --values values.yaml --wait
kubectl apply -f node-pool.yaml
