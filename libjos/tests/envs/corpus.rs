//! The inputs of the fuzz targets about environments, done again.

use crate::replay::replay;
use crate::{env_model, env_programs};

#[test]
#[cfg_attr(miri, ignore = "many machines")]
fn sequences_of_calls() {
    replay("calls", env_model::run);
}

#[test]
#[cfg_attr(miri, ignore = "many machines")]
fn files_of_programs() {
    replay("programs", env_programs::run);
}
