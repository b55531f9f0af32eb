#!/usr/bin/env bash
# The way of the getting-started guide by its own tools, one after the other, for comparison. $1: karpctl, only to render the
# documents, which the guide has as files.
set -euo pipefail
export CLUSTER_NAME=guide AWS_ACCOUNT_ID KUBECONFIG="$PWD/guide-kubeconfig"
AWS_ACCOUNT_ID=$(aws sts get-caller-identity --query Account --output text)
aws ssm get-parameter --name /aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id --query Parameter.Value --output text |
  xargs aws ec2 describe-images --query 'Images[0].Name' --output text --image-ids > /dev/null
"$1" render all --out guide
aws cloudformation deploy --stack-name "Karpenter-$CLUSTER_NAME" --template-file guide/cloudformation.yaml --capabilities CAPABILITY_NAMED_IAM \
  --parameter-overrides "ClusterName=$CLUSTER_NAME"
eksctl create cluster -f guide/cluster-config.yaml --kubeconfig "$KUBECONFIG"
aws eks describe-cluster --name "$CLUSTER_NAME" --query cluster.endpoint --output text
aws iam create-service-linked-role --aws-service-name spot.amazonaws.com || true
helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version 1.14.1 --namespace kube-system --create-namespace \
  --values guide/helm-values.yaml --wait
kubectl apply -f guide/node-pool.yaml
kubectl wait --for=condition=Ready nodepool/default ec2nodeclass/default --timeout 120s
