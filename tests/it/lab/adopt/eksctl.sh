#!/usr/bin/env bash
# A cluster of eksctl's own with a `karpenter:` block, as eksctl's documents have it, and a node pool. $1: karpctl, only to render the node pool.
set -euo pipefail
cat > cluster.yaml <<YAML
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: $CLUSTER_NAME, region: $AWS_REGION, version: "1.34", tags: {karpenter.sh/discovery: $CLUSTER_NAME}}
iam: {withOIDC: true}
karpenter: {version: 1.14.1, createServiceAccount: true}
managedNodeGroups: [{name: group, minSize: 2, maxSize: 3, desiredCapacity: 2}]
YAML
eksctl create cluster -f cluster.yaml --kubeconfig eksctls-own
"$1" render node-pool --cluster-name "$CLUSTER_NAME" --karpenter-version 1.14.1 --account-id 123456789012 --region "$AWS_REGION" \
  | sed "s/KarpenterNodeRole-/eksctl-&/" | kubectl apply -f -
