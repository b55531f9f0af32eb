//! The profiles of the AWS configuration files.

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

/// The names of the profiles, sorted; none where the files are not there or cannot be read: then whoever needs credentials says so.
pub async fn profiles() -> Vec<String> {
    let loaded = aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await;
    let mut names: Vec<String> = loaded.iter().flat_map(|set| set.profiles().map(str::to_owned)).collect();
    names.sort();
    names
}
