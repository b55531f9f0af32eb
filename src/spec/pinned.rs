//! What a spec file says of where it is for, beside a shell that says otherwise.

use super::layer::{Layer, Source};

/// A source that says otherwise than what is there, and what it says.
#[derive(Debug, PartialEq, Eq)]
pub struct Other<'l> {
    /// The source, as it is named to people.
    pub source: String,
    /// What it says.
    pub says: &'l str,
}

/// Who names another account than that of the credentials. A flag is meant so, and stands alone; a variable may have been set by the
/// credentials themselves, as Karpenter's guide sets `AWS_ACCOUNT_ID`, so that it does not take away what the spec file says.
#[must_use]
pub fn other_account<'l>(layers: &'l [(Source, Layer)], account: &str) -> Option<Other<'l>> {
    let mut given: Vec<_> = layers.iter().filter_map(|(s, l)| Some((s, s.of("accountId", l), l.account_id.as_deref()?))).collect();
    if given.first().is_some_and(|(source, ..)| **source == Source::Flag) {
        given.truncate(1);
    }
    given.into_iter().find(|(.., says)| *says != account).map(|(_, source, says)| Other { source, says })
}

/// The variable that names another cluster than the spec file does, and the file's, where no flag says which is meant.
#[must_use]
pub fn other_cluster(layers: &[(Source, Layer)]) -> Option<(Other<'_>, Other<'_>)> {
    let mut given =
        layers.iter().filter_map(|(s, l)| Some((s, Other { source: s.of("clusterName", l), says: l.cluster_name.as_deref()? })));
    let (Some((Source::Environment, by_variable)), Some((_, by_file))) = (given.next(), given.next()) else { return None };
    (by_variable.says != by_file.says).then_some((by_variable, by_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(account: Option<&str>, cluster: Option<&str>) -> Layer {
        Layer { account_id: account.map(str::to_owned), cluster_name: cluster.map(str::to_owned), ..Layer::default() }
    }

    fn layers(given: [Layer; 3]) -> Vec<(Source, Layer)> {
        [Source::Flag, Source::Environment, Source::File("prod.yaml".into())].into_iter().zip(given).collect()
    }

    #[test]
    fn a_variable_takes_away_no_files_account() {
        let other = |flag, variable, file| {
            let layers = layers([layer(flag, None), layer(variable, None), layer(file, None)]);
            other_account(&layers, "111122223333").map(|other| (other.source, other.says.to_owned()))
        };
        let (mine, another) = (Some("111122223333"), Some("999900001111"));
        let says = |source: &str| Some((source.to_owned(), "999900001111".to_owned()));
        assert_eq!(other(None, mine, another), says("the file prod.yaml"));
        assert_eq!(other(None, another, mine), says("AWS_ACCOUNT_ID"));
        assert_eq!(other(None, None, another), says("the file prod.yaml"));
        assert_eq!(other(another, mine, mine), says("the flag"));
        assert_eq!(other(mine, another, another), None);
        assert_eq!(other(None, mine, mine), None);
        assert_eq!(other(None, None, None), None);
    }

    #[test]
    fn a_variable_beside_a_file_of_another_cluster_is_told() {
        let other = |flag, variable, file| {
            let layers = layers([layer(None, flag), layer(None, variable), layer(None, file)]);
            other_cluster(&layers).map(|(variable, file)| [variable.source, variable.says.into(), file.source, file.says.into()])
        };
        let (web, prod) = (Some("web"), Some("prod"));
        assert_eq!(other(None, web, prod), Some(["CLUSTER_NAME", "web", "the file prod.yaml", "prod"].map(str::to_owned)));
        assert_eq!(other(None, prod, prod), None);
        assert_eq!(other(web, web, prod), None);
        assert_eq!(other(None, None, prod), None);
        assert_eq!(other(None, web, None), None);
    }
}
