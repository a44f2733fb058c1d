//! Judges a body: it may use what its exercise lists, and nothing else.

use crate::Outcome;
use crate::exercises::{Exercise, Lab};

/// Complaints about the body of `exercise`.
pub(crate) fn complaints(_lab: &Lab, _exercise: &Exercise, body: Outcome<String>) -> Vec<String> {
    match body {
        Err(why) => vec![why],
        Ok(_) => Vec::new(),
    }
}
