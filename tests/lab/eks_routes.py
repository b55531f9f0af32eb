"""EKS is REST: which operation a method and a path are."""

import re

_C = "/clusters/[^/]+"
_ROUTES = [(method, re.compile(path), name) for method, path, name in (
    ("POST", "/clusters", "CreateCluster"),
    ("GET", "/clusters", "ListClusters"),
    ("GET", _C, "DescribeCluster"),
    ("DELETE", _C, "DeleteCluster"),
    ("POST", f"{_C}/update-config", "UpdateClusterConfig"),
    ("POST", f"{_C}/updates", "UpdateClusterVersion"),
    ("GET", f"{_C}/updates", "ListUpdates"),
    ("GET", f"{_C}/updates/[^/]+", "DescribeUpdate"),
    ("POST", f"{_C}/access-entries", "CreateAccessEntry"),
    ("GET", f"{_C}/access-entries", "ListAccessEntries"),
    ("GET", f"{_C}/access-entries/[^/]+", "DescribeAccessEntry"),
    ("POST", f"{_C}/access-entries/[^/]+", "UpdateAccessEntry"),
    ("DELETE", f"{_C}/access-entries/[^/]+", "DeleteAccessEntry"),
    ("POST", f"{_C}/access-entries/[^/]+/access-policies", "AssociateAccessPolicy"),
    ("GET", f"{_C}/access-entries/[^/]+/access-policies", "ListAssociatedAccessPolicies"),
    ("DELETE", f"{_C}/access-entries/[^/]+/access-policies/[^/]+", "DisassociateAccessPolicy"),
    ("POST", f"{_C}/pod-identity-associations", "CreatePodIdentityAssociation"),
    ("GET", f"{_C}/pod-identity-associations", "ListPodIdentityAssociations"),
    ("GET", f"{_C}/pod-identity-associations/[^/]+", "DescribePodIdentityAssociation"),
    ("POST", f"{_C}/pod-identity-associations/[^/]+", "UpdatePodIdentityAssociation"),
    ("DELETE", f"{_C}/pod-identity-associations/[^/]+", "DeletePodIdentityAssociation"),
    ("POST", f"{_C}/addons", "CreateAddon"),
    ("GET", f"{_C}/addons", "ListAddons"),
    ("GET", f"{_C}/addons/[^/]+", "DescribeAddon"),
    ("DELETE", f"{_C}/addons/[^/]+", "DeleteAddon"),
    ("POST", f"{_C}/addons/[^/]+/update", "UpdateAddon"),
    ("GET", "/addons/supported-versions", "DescribeAddonVersions"),
    ("GET", "/addons/configuration-schemas", "DescribeAddonConfiguration"),
    ("POST", f"{_C}/node-groups", "CreateNodegroup"),
    ("GET", f"{_C}/node-groups", "ListNodegroups"),
    ("GET", f"{_C}/node-groups/[^/]+", "DescribeNodegroup"),
    ("DELETE", f"{_C}/node-groups/[^/]+", "DeleteNodegroup"),
    ("POST", f"{_C}/node-groups/[^/]+/update-config", "UpdateNodegroupConfig"),
    ("POST", f"{_C}/node-groups/[^/]+/update-version", "UpdateNodegroupVersion"),
    ("POST", f"{_C}/fargate-profiles", "CreateFargateProfile"),
    ("GET", f"{_C}/fargate-profiles", "ListFargateProfiles"),
    ("GET", f"{_C}/fargate-profiles/[^/]+", "DescribeFargateProfile"),
    ("DELETE", f"{_C}/fargate-profiles/[^/]+", "DeleteFargateProfile"),
    ("GET", f"{_C}/identity-provider-configs", "ListIdentityProviderConfigs"),
    ("POST", f"{_C}/insights", "ListInsights"),
    ("GET", f"{_C}/insights/[^/]+", "DescribeInsight"),
    ("GET", "/access-policies", "ListAccessPolicies"),
    ("GET", "/cluster-versions", "DescribeClusterVersions"),
    ("POST", "/tags/.+", "TagResource"),
    ("GET", "/tags/.+", "ListTagsForResource"),
    ("DELETE", "/tags/.+", "UntagResource"),
)]


def operation(method, path):
    """The operation's name, or None for a route that is not in the list."""
    path = path.split("?")[0].rstrip("/")
    return next((name for m, rx, name in _ROUTES if m == method and rx.fullmatch(path)), None)
