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

/// A variable beside a spec file of another cluster.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherCluster<'l> {
    /// The flag that says which is meant.
    pub flag: &'static str,
    /// What the variable says.
    pub variable: Other<'l>,
    /// What the file says.
    pub file: Other<'l>,
}

/// The variable that names another cluster than the spec file does, or another region, where no flag says which is meant.
#[must_use]
pub fn other_cluster(layers: &[(Source, Layer)]) -> Option<OtherCluster<'_>> {
    type Get = fn(&Layer) -> Option<&str>;
    let by: [(&str, &str, Get); 2] =
        [("clusterName", "--cluster-name", |layer| layer.cluster_name.as_deref()), ("region", "--region", |layer| layer.region.as_deref())];
    by.into_iter().find_map(|(field, flag, get)| {
        let mut given = layers.iter().filter_map(|(s, l)| Some((s, Other { source: s.of(field, l), says: get(l)? })));
        let (Some((Source::Environment, variable)), Some((_, file))) = (given.next(), given.next()) else { return None };
        (variable.says != file.says).then_some(OtherCluster { flag, variable, file })
    })
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
            other_cluster(&layers).map(|o| [o.flag.into(), o.variable.source, o.variable.says.into(), o.file.source, o.file.says.into()])
        };
        let (web, prod) = (Some("web"), Some("prod"));
        let told = ["--cluster-name", "CLUSTER_NAME", "web", "the file prod.yaml", "prod"].map(str::to_owned);
        assert_eq!(other(None, web, prod), Some(told));
        assert_eq!(other(None, prod, prod), None);
        assert_eq!(other(web, web, prod), None);
        assert_eq!(other(None, None, prod), None);
        assert_eq!(other(None, web, None), None);
        let region = |region: &str| Layer { region: Some(region.into()), ..layer(None, prod) };
        let layers = layers([Layer::default(), region("us-east-1"), region("us-west-2")]);
        let told = other_cluster(&layers).map(|other| (other.flag, other.variable.says, other.file.says));
        assert_eq!(told, Some(("--region", "us-east-1", "us-west-2")));
    }
}
