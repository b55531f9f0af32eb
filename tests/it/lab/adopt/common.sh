# shellcheck shell=bash
# What every way of making a Karpenter has in common; sourced by the scripts beside it. CLUSTER_NAME says which cluster.
account=$(aws sts get-caller-identity --query Account --output text)
cluster=$(aws eks describe-cluster --name "$CLUSTER_NAME" --output json)

# value PATH: a value of the cluster, as Python subscripts
value() { printf %s "$cluster" | python3 -c "import json,sys; print(json.load(sys.stdin)['cluster']$1)"; }

# controller_role NAME POLICY: a role for the service account karpenter/karpenter, by the cluster's OIDC provider
controller_role() {
  local issuer host
  issuer=$(value "['identity']['oidc']['issuer']")
  host=${issuer#https://}
  aws iam create-open-id-connect-provider --url "$issuer" --client-id-list sts.amazonaws.com --thumbprint-list 0000000000000000000000000000000000000000
  aws iam create-role --role-name "$1" --assume-role-policy-document "{\"Version\": \"2012-10-17\",
   \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"sts:AssumeRoleWithWebIdentity\", \"Principal\": {\"Federated\": \"arn:aws:iam::$account:oidc-provider/$host\"},
    \"Condition\": {\"StringEquals\": {\"$host:aud\": \"sts.amazonaws.com\", \"$host:sub\": \"system:serviceaccount:karpenter:karpenter\"}}}]}"
  aws iam attach-role-policy --role-name "$1" --policy-arn "arn:aws:iam::$account:policy/$2"
}

# map_nodes ROLE: nodes of that role may join
map_nodes() {
  kubectl apply -f - <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |
    - groups: [system:bootstrappers, system:nodes]
      rolearn: arn:aws:iam::$account:role/$1
      username: system:node:{{EC2PrivateDNSName}}
YAML
}

# discoverable: the cluster's subnets and security group are found by the tag that the guide's selectors look for
discoverable() {
  local group subnets
  group=$(value "['resourcesVpcConfig']['clusterSecurityGroupId']")
  subnets=$(value "['resourcesVpcConfig']['subnetIds']" | tr -d "[],'")
  # shellcheck disable=SC2086
  aws ec2 create-tags --resources $group $subnets --tags "Key=karpenter.sh/discovery,Value=$CLUSTER_NAME"
}
