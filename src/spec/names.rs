//! Names with a grammar. A value of one of these types is valid; there is no other way to make one.

use crate::knowledge::is_ami_family;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A name that does not follow its grammar: what was given, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not a valid {what}: {expected}")]
pub struct InvalidName {
    /// What kind of name it was meant to be, in the field's words.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// The grammar, as a sentence.
    pub expected: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidName { what: $what, value: text.to_owned(), expected: $expected })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn all(text: &str, allowed: fn(char) -> bool) -> bool {
    text.chars().all(allowed)
}

fn starts(text: &str, allowed: fn(char) -> bool) -> bool {
    text.chars().next().is_some_and(allowed)
}

fn ends(text: &str, allowed: fn(char) -> bool) -> bool {
    text.chars().next_back().is_some_and(allowed)
}

fn lower_or_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && all(text, |c| lower_or_digit(c) || c == '-')
        && starts(text, lower_or_digit)
        && ends(text, lower_or_digit)
}

fn hex_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|id| matches!(id.len(), 8 | 17) && all(id, |c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()))
}

name!(
    /// The name of an EKS cluster (EKS API, `CreateCluster`: `^[0-9A-Za-z][A-Za-z0-9\-_]*$`, 1 to 100 characters).
    ClusterName,
    "cluster name",
    "1 to 100 letters, digits, `-` or `_`, beginning with a letter or digit",
    |t| (1..=100).contains(&t.len()) && starts(t, |c| c.is_ascii_alphanumeric()) && all(t, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
);
name!(
    /// An AWS region: `us-west-2`, `us-gov-east-1`, `cn-northwest-1`.
    Region,
    "AWS region",
    "lower-case parts joined by `-` that end in a number, such as us-west-2",
    |t| {
        let parts: Vec<&str> = t.split('-').collect();
        (3..=5).contains(&parts.len())
            && parts.iter().all(|p| !p.is_empty() && all(p, lower_or_digit))
            && starts(t, |c| c.is_ascii_lowercase())
            && parts.last().is_some_and(|n| n.len() <= 2 && all(n, |c| c.is_ascii_digit()))
    }
);
name!(
    /// An AWS account: twelve digits.
    AccountId,
    "AWS account id",
    "twelve digits, such as 111122223333",
    |t| t.len() == 12 && all(t, |c| c.is_ascii_digit())
);
name!(
    /// An SQS queue (SQS API, `CreateQueue`).
    QueueName,
    "queue name",
    "1 to 80 letters, digits, `-` or `_`; the name, not the ARN or the URL",
    |t| (1..=80).contains(&t.len()) && all(t.strip_suffix(".fifo").unwrap_or(t), |c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
);
name!(
    /// An IAM instance profile (IAM API, `CreateInstanceProfile`).
    InstanceProfileName,
    "instance profile name",
    "1 to 128 letters, digits or `+=,.@_-`; the name, not the ARN",
    |t| (1..=128).contains(&t.len()) && all(t, |c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
);
name!(
    /// A Kubernetes namespace (RFC 1123 label).
    Namespace,
    "namespace",
    "1 to 63 lower-case letters, digits or `-`, beginning and ending with a letter or digit",
    dns_label
);
name!(
    /// The name of a cluster-scoped or namespaced Kubernetes object (RFC 1123 label).
    ObjectName,
    "Kubernetes object name",
    "1 to 63 lower-case letters, digits or `-`, beginning and ending with a letter or digit",
    dns_label
);
name!(
    /// An ARN: `arn:<partition>:<service>:<region>:<account>:<resource>`.
    Arn,
    "ARN",
    "arn:<partition>:<service>:<region>:<account>:<resource>",
    |t| {
        let parts: Vec<&str> = t.splitn(6, ':').collect();
        parts.len() == 6
            && parts[0] == "arn"
            && parts[1].starts_with("aws")
            && !parts[2].is_empty()
            && (parts[4].is_empty() || parts[4] == "aws" || (parts[4].len() == 12 && all(parts[4], |c| c.is_ascii_digit())))
            && !parts[5].is_empty()
            && all(t, |c| c.is_ascii_graphic())
    }
);
name!(
    /// A subnet: `subnet-` and 8 or 17 hexadecimal digits.
    SubnetId,
    "subnet id",
    "subnet- and 8 or 17 hexadecimal digits",
    |t| hex_id(t, "subnet-")
);
name!(
    /// A VPC: `vpc-` and 8 or 17 hexadecimal digits.
    VpcId,
    "VPC id",
    "vpc- and 8 or 17 hexadecimal digits",
    |t| hex_id(t, "vpc-")
);
name!(
    /// A security group: `sg-` and 8 or 17 hexadecimal digits.
    SecurityGroupId,
    "security group id",
    "sg- and 8 or 17 hexadecimal digits",
    |t| hex_id(t, "sg-")
);
name!(
    /// The digest of a chart's manifest in its registry, as `helm pull` says it: `sha256:` and 64 hexadecimal digits.
    ChartDigest,
    "chart digest",
    "sha256: and 64 lower-case hexadecimal digits, as `helm pull` prints it",
    |t| t.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && all(hex, |c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()))
);
name!(
    /// An AMI alias of an EC2NodeClass: `<family>@<version>`, such as `al2023@v20260101` or `bottlerocket@latest`.
    AmiAlias,
    "AMI alias",
    "<family>@<version>, such as al2023@v20260101 or al2023@latest",
    |t| t.split_once('@').is_some_and(|(family, version)| {
        is_ami_family(family)
            && !version.is_empty()
            && version.len() <= 40
            && all(version, |c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
    })
);

impl AmiAlias {
    /// The part before the `@`.
    #[must_use]
    pub fn family(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.0.split('@').nth(1).unwrap_or_default()
    }

    /// Whether it is an image of Windows.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        self.family().starts_with("windows")
    }
}

impl Arn {
    /// The part between the first and the second colon.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> &str {
        self.0.split(':').nth(2).unwrap_or_default()
    }

    /// Whether it names a KMS key itself, and not an alias of one.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.0.splitn(6, ':').nth(5).is_some_and(|resource| resource.starts_with("key/"))
    }

    /// The region, empty where the ARN has none.
    #[must_use]
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// The account, empty where the ARN has none.
    #[must_use]
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

/// An AWS partition: a set of regions with names, endpoints and accounts of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    /// The commercial regions.
    #[serde(rename = "aws")]
    Aws,
    /// China (Beijing, Ningxia).
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// `GovCloud` (US).
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
}

impl Partition {
    /// The partitions in which Karpenter is rendered.
    pub const ALL: [Self; 3] = [Self::Aws, Self::AwsCn, Self::AwsUsGov];

    /// The word in an ARN.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The partition that a region belongs to.
    #[must_use]
    pub fn of_region(region: &Region) -> Self {
        if region.as_str().starts_with("cn-") {
            Self::AwsCn
        } else if region.as_str().starts_with("us-gov-") {
            Self::AwsUsGov
        } else {
            Self::Aws
        }
    }

    /// Whether a region is of none of these: of the isolated partitions, or of the European Sovereign Cloud (botocore, `partitions.json`).
    #[must_use]
    pub fn has_not(region: &Region) -> bool {
        ["us-iso", "eu-iso", "eusc-"].iter().any(|beginning| region.as_str().starts_with(beginning))
    }

    /// The region in which what IAM has for all regions is kept (botocore, `endpoints.json`: the credential scope of IAM).
    #[must_use]
    pub const fn region_of_iam(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }

    /// Whether EKS has the add-on metrics-server in its regions (eksctl, `pkg/apis/eksctl.io/v1alpha5/known_addons.go`, `ExcludedRegions`).
    #[must_use]
    pub const fn has_metrics_server_addon(self) -> bool {
        matches!(self, Self::Aws)
    }

    /// The domain of the partition's services (`AWS::URLSuffix`).
    #[must_use]
    pub const fn url_suffix(self) -> &'static str {
        match self {
            Self::AwsCn => "amazonaws.com.cn",
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
        }
    }

    /// The name of a service's VPC endpoint in one of its regions: `com.amazonaws.us-west-2.ecr.api` for `ecr.api`. In China some
    /// have `cn.` before it (aws-cdk-lib, `InterfaceVpcEndpointAwsService`; eksctl, `pkg/cfn/builder/vpc_endpoint.go`; that of S3 is
    /// the gateway's).
    #[must_use]
    pub fn endpoint_name(self, region: &Region, service: &str) -> String {
        let chinese = self == Self::AwsCn && ["ec2", "ecr.api", "ecr.dkr", "eks", "sqs", "sts"].contains(&service);
        format!("{}com.amazonaws.{region}.{service}", if chinese { "cn." } else { "" })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or_else(|| InvalidName {
            what: "AWS partition",
            value: text.to_owned(),
            expected: "aws, aws-cn or aws-us-gov",
        })
    }
}
