//! OCI registries, as far as they say which charts they have.

use crate::error::Result;
use async_trait::async_trait;

/// An OCI registry that anybody may read.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Whether a repository has this tag.
    async fn has(&self, repository: &str, tag: &str) -> Result<bool>;
    /// The tags of a repository such as `oci://public.ecr.aws/karpenter/karpenter`, in no order.
    async fn tags(&self, repository: &str) -> Result<Vec<String>>;
}
