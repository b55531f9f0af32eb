//! karpctl takes an AWS account to a working Karpenter on EKS, and proves each step before it takes it.
//!
//! The way data flows, which is also the order of the modules:
//!
//! 1. `cli` and `env` say what was asked; [`spec`] resolves it to one valid [`spec::Spec`], with what [`knowledge`] knows of
//!    Karpenter releases, Kubernetes and the tools.
//! 2. `probe` reads the world through [`ports`] into one value, [`facts::Facts`]. Nothing else reads.
//! 3. [`plan`] is what `steps` judge of spec and facts; `checks` judge [`finding`]s. Neither does any I/O.
//! 4. `engine` carries the plan out: each step writes, is probed again and must then be judged present.
//! 5. `report` says it, to a person or to a pipeline. `commands` tie these together; `app` names the adapters.

pub mod accepted;
pub mod adapters;
pub mod adoption;
pub mod app;
pub mod characters;
pub mod checks;
pub mod cli;
pub mod commands;
pub mod credential;
pub mod doctor;
pub mod engine;
pub mod env;
pub mod error;
pub mod facts;
pub mod finding;
pub mod inventory;
pub mod knowledge;
pub mod kubeconfig;
pub mod migration;
pub mod pages;
pub mod plan;
pub mod ports;
pub mod probe;
pub mod render;
pub mod report;
pub mod secret;
pub mod shell;
pub mod spec;
pub mod steps;
pub mod token;
pub mod verify;
pub mod wording;
