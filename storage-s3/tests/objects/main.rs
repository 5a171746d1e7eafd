//! Objects in a bucket of the in-process server: each operation's outcome, its requests, and what faults make of it.

mod conditions;
mod copies;
mod deletes;
mod faults;
mod hosting;
mod keys;
mod metadata;
mod reads;
mod writes;
