//! AWS where every region of a partition gives the same answer, and none may be set.

use crate::app::App;
use crate::error::{Error, ErrorKind, Result};
use crate::knowledge::{of_another_partition, unknown_keys};
use crate::ports::Ports;
use crate::spec::{Partition, Region};

/// AWS, in a region of the partition.
pub(super) struct Anywhere {
    pub(super) ports: Ports,
    /// The region that was given, or that the AWS configuration has.
    pub(super) configured: Option<Region>,
    /// The region that is asked where there is neither: no account of the partition is without it.
    pub(super) taken: Option<&'static str>,
}

/// Connects there. Keys do not say of which partition they are: it is the one that somebody says, else `aws`.
pub(super) async fn anywhere(app: &App, region: Option<&str>, partition: Option<&str>, profile: Option<&str>) -> Result<Anywhere> {
    let (ports, configured) = app.connect_as(region, profile).await?;
    if region.is_some() || configured.is_some() {
        return Ok(Anywhere { ports, configured, taken: None });
    }
    let taken = meant(partition).region_of_iam();
    let (ports, _) = app.connect_as(Some(taken), profile).await?;
    Ok(Anywhere { ports, configured: None, taken: Some(taken) })
}

/// The partition that somebody says. One that is none is for the spec to say.
pub(super) fn meant(partition: Option<&str>) -> Partition {
    partition.and_then(|partition| partition.parse().ok()).unwrap_or(Partition::Aws)
}

/// The partition of this command's flags or environment.
pub(super) fn partition_of(app: &App) -> Option<&str> {
    app.globals.partition.as_deref().or(app.env.partition.as_deref())
}

impl Anywhere {
    /// The failure of a question, and why that may be: keys of another partition are none to the region that was taken.
    pub(super) fn told(&self, error: Error) -> Error {
        match self.taken {
            Some(taken) if error.kind == ErrorKind::Credentials && unknown_keys(&error.to_string()) => error
                .because(of_another_partition(taken))
                .hint("name a region of theirs: --region, AWS_REGION, or the region of the profile"),
            _ => error,
        }
    }
}
