//! All tests, in one binary: a module a subject.

mod adapters;
mod architecture;
mod cli;
mod conformance;
//mod fake;
//mod fixture;
mod lab;
//mod steps;
mod token;
