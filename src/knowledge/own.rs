//! The releases of karpctl itself.

use semver::{BuildMetadata, Version};

/// The release that a tag (`v1.2.3`) names, where it is newer than this karpctl. Previews are for nobody who did not ask for one.
#[must_use]
pub fn newer_karpctl(tag: &str) -> Option<String> {
    newer(tag, env!("CARGO_PKG_VERSION"))
}

fn newer(tag: &str, this: &str) -> Option<String> {
    let read = |text: &str| Version::parse(text.trim().strip_prefix('v').unwrap_or(text.trim())).ok();
    // What was built of it says nothing about which is newer.
    let plain = |version: Version| Version { build: BuildMetadata::EMPTY, ..version };
    let (tag, this) = (plain(read(tag)?), plain(read(this)?));
    (tag > this && tag.pre.is_empty()).then(|| tag.to_string())
}

#[cfg(test)]
mod tests {
    use super::newer;

    #[test]
    fn only_a_later_release_is_newer() {
        for (tag, this, wanted) in [
            ("v1.2.3", "1.2.2", Some("1.2.3")),
            ("1.10.0", "1.9.9", Some("1.10.0")),
            ("v2.0.0+build.7", "1.9.9", Some("2.0.0")),
            ("v1.2.3", "1.2.3-rc.1", Some("1.2.3")),
            ("v1.2.3", "1.2.3", None),
            ("v1.2.3+later", "1.2.3", None),
            ("v1.2.2", "1.2.3", None),
            ("v2.0.0-rc.1", "1.2.3", None),
            ("v1.2", "1.1.0", None),
            ("vv2.0.0", "1.1.0", None),
            ("latest", "1.1.0", None),
            ("", "1.1.0", None),
            ("v2.0.0\u{1b}[31m", "1.1.0", None),
        ] {
            assert_eq!(newer(tag, this).as_deref(), wanted, "{tag} after {this}");
        }
    }
}
