//! All tests, in one binary: a module a subject.

// Tests panic where something is not as it must be: that is what they are for.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod adapters;
mod adoption;
mod architecture;
mod checks;
mod checks_inside;
mod cli;
mod conformance;
mod docs;
mod engine;
mod fake;
mod fixture;
mod hold;
mod hostile;
mod init;
mod inputs;
mod lab;
mod migration;
mod quotes;
mod report_page;
mod spec_file;
mod steps;
mod token;
