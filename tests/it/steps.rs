//! The steps against a world in memory: made, proved, mended, refused, removed; and lost answers.

mod chart;
mod cluster;
mod cluster_gone;
mod controller_role;
mod crds;
mod discovery_tags;
mod earlier_identity;
mod early_pods;
mod identity;
mod left_policies;
mod node_mapping;
mod node_pool;
mod other_installer;
mod probe;
mod ready;
mod stack;
mod stack_owner;
mod stack_removal;
mod verify;
mod way;
mod works_otherwise;
