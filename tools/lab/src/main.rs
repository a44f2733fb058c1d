//! The tree that a teacher hands out, made from these sources, and the check of what comes back.
//!
//! | command | does |
//! |---|---|
//! | `lab handout LAB OUT` | writes the tree that students get: no bodies, no answers |
//! | `lab pristine LAB OUT` | writes the autograder's: the same, and the grader's own tests |
//! | `lab answer LAB TREE [-] [EXERCISE...]` | puts the answers into such a tree: those named, or with `-` all others |
//! | `lab switched LAB TREE` | puts answers and usual mistakes into a tree, of which each run picks: for tests of the lab |
//! | `lab mistake LAB TREE NUMBER` | puts an answer with a usual mistake into a tree |
//! | `lab mistakes LAB` | prints the usual mistakes: exercise, what the grader must say, name |
//! | `lab check LAB TREE` | judges the bodies in a tree by what its exercises let them use |
//! | `lab graft LAB SUBMISSION TREE` | takes the bodies alone from a submission, judges them, and puts them into a tree |
//! | `lab exercises LAB` | prints the exercises: number, name, points |
//! | `lab tests LAB` | prints the arguments of `cargo test -p libjos` that build the exercises' tests |
//! | `lab files LAB` | prints the files that the bodies lie in |
//!
//! `LAB` is a number. The folder `labN` beside this crate's `src` has all that belongs to lab N. Students get this crate
//! too, without the parts that make a handout.

// lab: begin omit
mod answers;
// lab: end
mod check;
mod exercises;
mod files;
// lab: begin omit
mod handout;
// lab: end
mod holes;
// lab: begin omit
mod mistakes;
mod regions;
mod switched;
// lab: end

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use exercises::Lab;
// lab: begin omit
use handout::Reader;
// lab: end

/// Why a command gives up: a sentence for its user.
type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a command. Returns whether all that it judged is well.
fn run(words: &[&str]) -> Outcome<bool> {
    let [command, number, rest @ ..] = words else { return Err(USAGE.into()) };
    let lab = Lab::read(&files::own_folder().join(format!("lab{number}")))?;
    match (*command, rest) {
        // lab: begin omit
        ("handout", [out]) => handout::write(&lab, Path::new(out), Reader::Student).map(|()| true),
        ("pristine", [out]) => {
            handout::write(&lab, Path::new(out), Reader::Autograder).map(|()| true)
        }
        ("answer", [tree, names @ ..]) => answers::put(&lab, Path::new(tree), names).map(|()| true),
        ("mistakes", []) => mistakes::list(&lab).map(|()| true),
        ("mistake", [tree, number]) => mistakes::put(&lab, Path::new(tree), number).map(|()| true),
        ("switched", [tree]) => switched::put(&lab, Path::new(tree)).map(|()| true),
        // lab: end
        ("check", [tree]) => check_tree(&lab, Path::new(tree)),
        ("graft", [submission, tree]) => graft(&lab, Path::new(submission), Path::new(tree)),
        ("exercises", []) => {
            for exercise in &lab.exercises {
                println!("{}\t{}\t{}", exercise.number, exercise.name, exercise.points);
            }
            Ok(true)
        }
        ("tests", []) => {
            lab.tests.iter().for_each(|argument| println!("{argument}"));
            Ok(true)
        }
        ("files", []) => {
            let files: BTreeSet<_> = lab.exercises.iter().map(|exercise| &exercise.file).collect();
            files.iter().for_each(|file| println!("{}", file.display()));
            Ok(true)
        }
        _ => Err(USAGE.into()),
    }
}

const USAGE: &str = "lab handout LAB OUT | pristine LAB OUT | answer LAB TREE [-] [EXERCISE...] | mistake LAB TREE NUMBER | mistakes LAB | switched LAB TREE | \
                     check LAB TREE | graft LAB SUBMISSION TREE | exercises LAB | tests LAB | files LAB";

/// Judges all bodies of a tree, and prints what is wrong with them.
fn check_tree(lab: &Lab, tree: &Path) -> Outcome<bool> {
    let mut well = true;
    for exercise in &lab.exercises {
        for complaint in check::complaints(lab, exercise, holes::body(tree, exercise)) {
            println!("exercise {} ({}): {complaint}", exercise.number, exercise.name);
            well = false;
        }
    }
    Ok(well)
}

/// Takes the bodies of a submission over into a tree. A body that is refused, or that is not there, stays missing.
fn graft(lab: &Lab, submission: &Path, tree: &Path) -> Outcome<bool> {
    let mut well = true;
    for exercise in &lab.exercises {
        let body = holes::body(submission, exercise);
        let complaints = check::complaints(lab, exercise, body.clone());
        for complaint in &complaints {
            println!("exercise {} ({}): {complaint}", exercise.number, exercise.name);
            well = false;
        }
        if let (Ok(body), true) = (body, complaints.is_empty()) {
            holes::put(tree, exercise, &body)?;
        }
    }
    Ok(well)
}
