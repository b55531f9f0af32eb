#!/usr/bin/env bash
# What the guide of Karpenter v0.17.0 makes, with a Provisioner and an AWSNodeTemplate, on a cluster that is there. The guide has eksctl
# make the controller's role and the row of aws-auth; here it is what eksctl makes of these calls. $1: karpctl, only to render the
# documents, which the guide has as files.
set -euo pipefail
release=0.17.0
account=$(aws sts get-caller-identity --query Account --output text)
cluster=$(aws eks describe-cluster --name "$CLUSTER_NAME" --output json)
value() { printf %s "$cluster" | python3 -c "import json,sys; print(json.load(sys.stdin)['cluster']$1)"; }
render() { "$1" render "$2" --cluster-name "$CLUSTER_NAME" --karpenter-version "$release" --identity irsa; }
render "$1" cloudformation > cloudformation.yaml
render "$1" helm-values > values.yaml
render "$1" node-pool > node-pool.yaml
aws cloudformation deploy --stack-name "Karpenter-$CLUSTER_NAME" --template-file cloudformation.yaml --capabilities CAPABILITY_NAMED_IAM \
  --parameter-overrides "ClusterName=$CLUSTER_NAME"
kubectl apply -f - <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |
    - groups: [system:bootstrappers, system:nodes]
      rolearn: arn:aws:iam::$account:role/KarpenterNodeRole-$CLUSTER_NAME
      username: system:node:{{EC2PrivateDNSName}}
YAML
issuer=$(value "['identity']['oidc']['issuer']")
host=${issuer#https://}
aws iam create-open-id-connect-provider --url "$issuer" --client-id-list sts.amazonaws.com --thumbprint-list 0000000000000000000000000000000000000000
aws iam create-role --role-name "$CLUSTER_NAME-karpenter" --assume-role-policy-document "{\"Version\": \"2012-10-17\",
 \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRoleWithWebIdentity\", \"Principal\": {\"Federated\": \"arn:aws:iam::$account:oidc-provider/$host\"},
  \"Condition\": {\"StringEquals\": {\"$host:aud\": \"sts.amazonaws.com\", \"$host:sub\": \"system:serviceaccount:karpenter:karpenter\"}}}]}"
aws iam attach-role-policy --role-name "$CLUSTER_NAME-karpenter" --policy-arn "arn:aws:iam::$account:policy/KarpenterControllerPolicy-$CLUSTER_NAME"
aws iam create-service-linked-role --aws-service-name spot.amazonaws.com || true
group=$(value "['resourcesVpcConfig']['clusterSecurityGroupId']")
subnets=$(value "['resourcesVpcConfig']['subnetIds']" | tr -d "[],'")
# shellcheck disable=SC2086
aws ec2 create-tags --resources $group $subnets --tags "Key=karpenter.sh/discovery,Value=$CLUSTER_NAME"
helm upgrade --install karpenter oci://public.ecr.aws/karpenter/karpenter --version "v$release" --namespace karpenter --create-namespace \
  --values values.yaml --wait
kubectl apply -f node-pool.yaml
