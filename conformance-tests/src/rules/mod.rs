//! The rules, a file for each group of the contract. A rule is a function that panics where the driver breaks it.

pub mod conditions;
pub mod copy;
pub mod delete;
pub mod dropped;
pub mod economy;
pub mod errors;
pub mod faults;
pub mod histories;
pub mod keys;
pub mod linearizable;
pub mod listing;
pub mod listing_races;
pub mod lost;
pub mod metadata;
pub mod misconfigured;
pub mod reads;
pub mod resources;
pub mod safety;
pub mod sandbox;
pub mod secrets;
pub mod shortages;
pub mod streaming;
pub mod undeclared;
pub mod versions;
pub mod watching;
pub mod writes;
