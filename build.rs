//! Writes the tables of `src/knowledge` as JSON, which a program reads far faster than YAML: a command that asks AWS nothing would
//! else spend half its time on them. The YAML is what people read and change.
//!
//! And collects the sentences of karpctl's own errors from the sources, each with its kind: `karpctl explain` finds the kind of one that is
//! pasted, and no list of them has to be kept.

#![allow(clippy::print_stdout, reason = "it is how a build script speaks to Cargo")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SOURCES: &str = "src";
const TABLES: &str = "src/knowledge";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SOURCES}");
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
    let mut sentences = Vec::new();
    for path in sources(Path::new(SOURCES))? {
        let text = fs::read_to_string(&path)?;
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        sentences.extend(said(product).map(|(kind, text)| serde_json::json!({"kind": kind, "file": stem, "text": text})));
    }
    fs::write(Path::new(&out).join("errors.json"), serde_json::Value::from(sentences).to_string())?;
    Ok(())
}

/// Every source below a folder, in the order of the names.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            all.extend(sources(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
    Ok(all)
}

/// The errors that a source makes with a sentence of its own: the kind, as it is written, and the sentence, with `…` for what differs.
fn said(source: &str) -> impl Iterator<Item = (String, String)> {
    let constructed = source.match_indices("Error::").filter_map(|(at, constructor)| {
        let (name, arguments) = source[at + constructor.len()..].split_once('(')?;
        match name {
            "usage" | "refused" | "failed" => Some((name.to_owned(), arguments)),
            "new" => {
                let (kind, message) = arguments.trim_start().strip_prefix("ErrorKind::")?.split_once(',')?;
                Some((kind.to_owned(), message))
            }
            _ => None,
        }
    });
    constructed.filter_map(|(kind, message)| {
        let message = message.trim_start();
        let message = message.strip_prefix("format!(").map_or(message, str::trim_start);
        Some((kind, sentence(message.strip_prefix('"')?)))
    })
}

/// What a literal says, from behind its first quote.
fn sentence(literal: &str) -> String {
    let mut said = String::new();
    let mut chars = literal.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' if chars.peek() == Some(&'\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            '\\' => said.extend(chars.next()),
            '{' if chars.next_if_eq(&'{').is_some() => said.push('{'),
            '{' => {
                said.push('…');
                chars.by_ref().find(|c| *c == '}');
            }
            '}' => said.extend(chars.next_if_eq(&'}')),
            c => said.push(c),
        }
    }
    said
}
