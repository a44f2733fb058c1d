//! Writes the tree that students get, and the autograder's, which has the grader's own tests besides.
//!
//! It has the files of this project that `labN/handout.toml` lists, with the marked parts replaced (`regions.rs`), and over
//! them the files of `labN/tree`. A `mod` whose file is not handed out goes too. `handout.toml`, `given.*` and `tree` beside
//! the folders of the labs are every lab's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::exercises::Lab;
use crate::regions::{Given, dig};
use crate::{Outcome, files};

/// Whom a tree is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reader {
    Student,
    Autograder,
}

/// `handout.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Manifest {
    /// Files and folders that are handed out, below the project.
    keep: BTreeSet<PathBuf>,
    /// Files and folders of those that are not.
    drop: BTreeSet<PathBuf>,
    /// Files that only the autograder gets: the grader's own tests.
    hidden: BTreeSet<PathBuf>,
    /// Names of files and folders that are not handed out unless `keep` lists them, or something below them.
    never: BTreeSet<String>,
}

impl Manifest {
    /// The manifest of a lab for a reader, with every lab's.
    fn read(lab: &Lab, reader: Reader) -> Outcome<Self> {
        let mut all = Self::default();
        for path in of_every_lab_and(lab, "handout.toml") {
            let own: Self = toml::from_str(&files::read(&path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            all.keep.extend(own.keep);
            all.drop.extend(own.drop);
            all.hidden.extend(own.hidden);
            all.never.extend(own.never);
        }
        if reader == Reader::Autograder {
            all.keep.append(&mut all.hidden);
        }
        Ok(all)
    }

    fn keeps(&self, path: &Path) -> bool {
        let is_below = |set: &BTreeSet<PathBuf>| path.ancestors().any(|above| set.contains(above));
        let is_left_out = |name: &str| {
            self.never.contains(name) || name.starts_with("test_") && name.ends_with(".py")
        };
        // A folder of such a name can still be kept, by itself.
        let is_kept = |above: &Path| {
            let below = path.strip_prefix(above).into_iter().flatten();
            self.keep.contains(above) && !below.filter_map(|part| part.to_str()).any(is_left_out)
        };
        path.ancestors().any(is_kept) && !is_below(&self.drop) && !is_below(&self.hidden)
    }
}

/// The file of this name that every lab has, and the lab's own, where they are there.
fn of_every_lab_and(lab: &Lab, name: &str) -> impl Iterator<Item = PathBuf> {
    let paths = [files::own_folder().join(name), lab.folder.join(name)];
    paths.into_iter().filter(|path| path.exists())
}

/// A file of the handout, and the one that it is made of.
struct File {
    contents: Vec<u8>,
    of: PathBuf,
}

/// Writes the tree of `lab` for `reader` to `out`, which must not exist yet or be empty.
pub(crate) fn write(lab: &Lab, out: &Path, reader: Reader) -> Outcome<()> {
    let project = &files::project();
    if out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("{} is there already", out.display()));
    }
    let mut tree = collect(lab, project, reader)?;
    let there: BTreeSet<_> = tree.keys().cloned().collect();
    for (path, File { contents, .. }) in &mut tree {
        if path.extension().is_some_and(|extension| extension == "rs") {
            *contents = without_missing(path, &text(path, contents)?, &there).into();
        }
    }
    for (path, File { contents, of }) in &tree {
        files::write(&out.join(path), contents)?;
        set_mode(of, &out.join(path));
    }
    // Takes out the crates that the handout has no use for, as the first build would, in front of the student.
    run("cargo", out, &["update", "-q", "--workspace", "--offline"])?;
    run("git", out, &["init", "-q", "-b", "main"])?;
    run("git", out, &["add", "-A"])?;
    let message = format!("Lab {} as handed out", lab.number);
    let who =
        ["-c", "user.name=JOS64", "-c", "user.email=lab@localhost", "-c", "commit.gpgsign=false"];
    run("git", out, &[&who[..], &["commit", "-q", "-m", &message]].concat())
}

/// The handout's files.
fn collect(lab: &Lab, project: &Path, reader: Reader) -> Outcome<BTreeMap<PathBuf, File>> {
    let manifest = Manifest::read(lab, reader)?;
    let mut given = Given::default();
    for name in ["given.rs", "given.toml", "given.mk"] {
        for path in of_every_lab_and(lab, name) {
            let added = given.add(lab.number, &files::read(&path)?);
            added.map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    let mut tree = BTreeMap::new();
    for path in sources(project)? {
        if !manifest.keeps(&path) {
            continue;
        }
        let contents = read_bytes(&project.join(&path))?;
        let contents = match String::from_utf8(contents) {
            Ok(text) => {
                let put = given.put(lab.number, &text).and_then(|text| dig(lab, &text));
                put.map_err(|error| format!("{}: {error}", path.display()))?.into()
            }
            Err(bytes) => bytes.into_bytes(),
        };
        let of = project.join(&path);
        tree.insert(path, File { contents, of });
    }
    if let [name, ..] = given.unused()[..] {
        return Err(format!("no source has a part \"{name}\""));
    }
    for over in of_every_lab_and(lab, "tree") {
        for path in files_below(&over)? {
            let contents = read_bytes(&over.join(&path))?;
            let (contents, of) = (dig(lab, &text(&path, &contents)?)?.into(), over.join(&path));
            tree.insert(path, File { contents, of });
        }
    }
    Ok(tree)
}

/// The files that git knows below a folder, as they are now.
fn sources(project: &Path) -> Outcome<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(project)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    let names = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    Ok(names.filter(|name| project.join(name).is_file()).collect())
}

/// The files below a folder, by their paths from there.
fn files_below(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = folders.pop() {
        let entries = next.read_dir().map_err(|error| format!("{}: {error}", next.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            match path.strip_prefix(folder) {
                _ if path.is_dir() => folders.push(path),
                Ok(path) => found.push(path.into()),
                Err(_) => unreachable!("it lies below the folder"),
            }
        }
    }
    Ok(found)
}

/// The text without each `mod NAME;` whose file is not among `there`, and its attributes and comments.
fn without_missing(path: &Path, text: &str, there: &BTreeSet<PathBuf>) -> String {
    let is_root = path
        .file_name()
        .is_some_and(|name| name == "mod.rs" || name == "lib.rs" || name == "main.rs");
    let folder = if is_root { path.with_file_name("") } else { path.with_extension("") };
    let is_missing = |line: &str, attributes: &[&str]| {
        let name = line.trim().strip_suffix(';').and_then(|line| {
            let (visibility, name) =
                line.split_once("mod ").or(line.strip_prefix("mod ").map(|name| ("", name)))?;
            let is_mod = visibility.is_empty() || visibility.starts_with("pub");
            is_mod.then_some(name)
        });
        name.is_some_and(|name| match attributes.iter().find_map(|line| own_path(line)) {
            Some(own) => !there.contains(&joined(&path.with_file_name(""), own)),
            None => {
                let (file, module) =
                    (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
                !there.contains(&file) && !there.contains(&module)
            }
        })
    };
    let mut kept: Vec<&str> = Vec::new();
    for line in text.split_inclusive('\n') {
        let is_attribute = |line: &&&str| line.trim().starts_with("#[");
        let attributes = kept.len() - kept.iter().rev().take_while(is_attribute).count();
        if is_missing(line, &kept[attributes..]) {
            kept.truncate(attributes);
        } else {
            kept.push(line);
        }
    }
    // A `mod tests;` stands last, behind a blank line.
    while kept.last().is_some_and(|line| line.trim().is_empty()) {
        kept.pop();
    }
    kept.concat()
}

/// The path in an attribute `#[path = "..."]`.
fn own_path(line: &str) -> Option<&str> {
    line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")
}

/// A path from a folder, which may begin with `..`.
fn joined(folder: &Path, path: &str) -> PathBuf {
    let mut joined = folder.to_path_buf();
    for name in Path::new(path) {
        if name == ".." {
            joined.pop();
        } else {
            joined.push(name);
        }
    }
    joined
}

fn read_bytes(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn text(path: &Path, contents: &[u8]) -> Outcome<String> {
    let text = std::str::from_utf8(contents);
    text.map(String::from).map_err(|error| format!("{}: {error}", path.display()))
}

/// Makes a copy executable if the file is.
fn set_mode(from: &Path, to: &Path) {
    if let Ok(meta) = from.metadata() {
        // A copy that is not executable shows itself when it is called.
        let _ = std::fs::set_permissions(to, meta.permissions());
    }
}

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Outcome<()> {
    let status = Command::new(program).args(arguments).current_dir(folder).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

#[cfg(test)]
mod tests;
