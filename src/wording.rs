//! Numbers and lists as a sentence has them.

/// So many of something: "1 node", "2 nodes".
#[must_use]
pub fn counted(many: usize, what: &str) -> String {
    format!("{many} {what}{}", if many == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|many| counted(many, "node")), ["0 nodes", "1 node", "2 nodes"]);
    }
}
