//! The subcommands: one file each. `bootstrap`, `iam`, `identity`, `install`, `node-pool` and `destroy` are selections of
//! steps and a direction, never second copies of the logic.

pub mod adopt;
mod afterwards;
mod answer;
pub mod args;
pub mod bootstrap;
mod carry_out;
pub mod destroy;
pub mod doctor;
pub mod explain;
mod explain_guide;
mod explained;
pub mod generate;
pub mod init;
mod interview;
mod look;
mod mend;
pub mod migrate;
mod named;
mod new_file;
mod next;
pub mod parts;
mod print_commands;
mod question;
pub mod rehearse;
pub mod release_notice;
pub mod render;
mod report_page;
mod session;
mod standing;
pub mod status;
pub mod token;
pub mod verify;
pub mod version;
pub mod versions;
mod versions_compare;
mod way;
