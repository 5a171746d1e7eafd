//! What goes wrong between two ends that are both right: lost answers in races, futures that are dropped half-way, peers
//! that end a connection at the worst moment.

mod circles;
mod dropped;
mod gateways;
#[path = "../objects/hosting.rs"]
mod hosting;
mod lost;
mod peer;
mod random;
mod wire;
