//! What the deep rules are made of: a checker of histories, a reference model, random steps.

pub(crate) mod effort;
pub mod linear;
pub(crate) mod model;
pub(crate) mod play;
pub(crate) mod register;
pub(crate) mod steps;
