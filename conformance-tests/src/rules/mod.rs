//! The rules, a file for each group of the contract. A rule is a function that panics where the driver breaks it.

pub mod keys;
