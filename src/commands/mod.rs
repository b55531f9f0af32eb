//! The subcommands: one file each. `bootstrap`, `iam`, `identity`, `install`, `node-pool` and `destroy` are selections of
//! steps and a direction, never second copies of the logic.

mod answer;
pub mod args;
pub mod bootstrap;
mod carry_out;
pub mod destroy;
pub mod doctor;
pub mod explain;
pub mod generate;
mod mend;
mod next;
pub mod parts;
mod print_commands;
pub mod rehearse;
pub mod render;
mod session;
pub mod status;
pub mod token;
pub mod verify;
pub mod versions;
mod way;
