//! Writes the tables of `src/knowledge` as JSON, which a program reads far faster than YAML: a command that asks AWS nothing would
//! else spend half its time on them. The YAML is what people read and change.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks to Cargo")]

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const TABLES: &str = "src/knowledge";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLES}");
    let out = env::var("OUT_DIR")?;
    for entry in fs::read_dir(TABLES)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "yaml") {
            // The budget is against what strangers write.
            let options = serde_saphyr::options! { budget: None };
            let table: serde_json::Value = serde_saphyr::from_str_with_options(&fs::read_to_string(&path)?, options)
                .map_err(|e| format!("{}: {e}", path.display()))?;
            let name = path.with_extension("json");
            fs::write(Path::new(&out).join(name.file_name().ok_or("a table has a name")?), table.to_string())?;
        }
    }
    Ok(())
}
