//! A tree for tests of the lab itself: each body is the answer, a usual mistake, or missing, as each run picks.
//!
//! So one build serves all. The program reads the choice from the environment on a host; in a kernel's image the grader
//! writes it into RAM before the kernel starts.

use std::fmt::Write;
use std::path::Path;

use crate::answers::answers;
use crate::exercises::Lab;
use crate::mistakes;
use crate::{Outcome, files, holes};

const SWITCH: &str = r#"//! Which body each exercise has: 0 the answer, 255 none, any other number a mistake.
#![allow(missing_docs)]

use core::sync::atomic::{AtomicU8, Ordering};

#[used]
pub static BODIES: [AtomicU8; 32] = [const { AtomicU8::new(0) }; 32];

#[inline(never)]
pub fn body(exercise: usize) -> u8 {
    #[cfg(any(test, feature = "std"))]
    if let Some(picked) = std::env::var_os("LAB_BODIES") {
        let picked = picked.into_string().expect("numbers");
        let all = picked.split(',').filter_map(|pair| pair.split_once('='));
        let mut own = all.filter(|(number, _)| number.parse() == Ok(exercise));
        return own.next().map_or(0, |(_, body)| body.parse().expect("a number"));
    }
    BODIES[exercise].load(Ordering::Relaxed)
}
"#;

/// Puts switched bodies into a handout.
pub(crate) fn put(lab: &Lab, tree: &Path) -> Outcome<()> {
    let (answers, mistakes) = (answers(lab)?, mistakes::read(lab)?);
    for exercise in &lab.exercises {
        let Some(answer) = answers.get(&exercise.name) else {
            return Err(format!("there is no answer to {}", exercise.name));
        };
        let number = exercise.number;
        let mut body = format!("match crate::lab_switch::body({number}) {{\n0 => {{\n{answer}}}\n");
        for (own, mistake) in (1..).zip(&mistakes) {
            if mistake.exercise == exercise.name {
                let _ = writeln!(body, "{own} => {{\n{}}}", mistake.make(answer)?);
            }
        }
        let _ = writeln!(body, "_ => panic!(\"exercise {number}: not yet implemented\"),\n}}");
        holes::fill(tree, exercise, &body)?;
    }
    files::write(&tree.join("libjos/src/lab_switch.rs"), SWITCH)?;
    let root = tree.join("libjos/src/lib.rs");
    let text = files::read(&root)?;
    files::write(&root, text.replace("pub mod machine;", "pub mod lab_switch;\npub mod machine;"))
}
