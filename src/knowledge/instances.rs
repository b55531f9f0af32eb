//! What EC2's quotas make of an instance type.

/// The families whose vCPUs EC2 counts together, on-demand and spot apart: "All Standard (A, C, D, H, I, M, R, T, Z)" ("Amazon EC2 instance
/// type quotas" and "Spot Instance quotas" of the EC2 User Guide). `im` and `is` are of I; `dl`, `hpc`, `mac` and `trn` have quotas of their own.
const STANDARD: [&str; 11] = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"];

/// Whether an instance type counts to the quotas of the standard families.
#[must_use]
pub fn is_standard_instance(instance_type: &str) -> bool {
    let letters = instance_type.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
    STANDARD.contains(&letters)
}

#[cfg(test)]
mod tests {
    use super::is_standard_instance;

    #[test]
    fn a_family_is_its_letters_before_the_generation() {
        for standard in [
            "m5.large",
            "c7gn.2xlarge",
            "t3a.medium",
            "i4i.large",
            "im4gn.large",
            "is4gen.medium",
            "z1d.large",
            "d3en.xlarge",
            "h1.2xlarge",
        ] {
            assert!(is_standard_instance(standard), "{standard}");
        }
        for other in [
            "mac2.metal",
            "g5.xlarge",
            "p4d.24xlarge",
            "inf2.xlarge",
            "trn1.2xlarge",
            "hpc7a.12xlarge",
            "dl1.24xlarge",
            "x2idn.large",
            "u-6tb1.metal",
            "vt1.3xlarge",
            "",
        ] {
            assert!(!is_standard_instance(other), "{other}");
        }
    }
}
