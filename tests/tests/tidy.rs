//! The tree keeps its own rules: every file says what it is, and the rules of Bayeux know no runtime.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_source_file_opens_by_saying_what_it_is() {
    let silent: Vec<_> =
        sources(root()).into_iter().filter(|(_, text)| !text.starts_with("//!")).collect();
    assert!(silent.is_empty(), "{:?}", paths(&silent));
}

#[test]
fn the_rules_know_no_runtime() {
    const OUTSIDE: [&str; 9] = [
        "tokio",
        "hyper",
        "http::",
        ".await",
        "async ",
        "Mutex",
        "HashMap",
        "HashSet",
        "getrandom",
    ];
    let rules = sources(root().join("bayeux-server/src/proto"));
    assert!(rules.len() > 3, "the rules have moved");
    for (path, text) in rules {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let found = OUTSIDE.iter().find(|word| line.contains(*word));
            assert_eq!(found, None, "{}: {line}", path.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

/// Reads all Rust files below `folder` that are the project's own.
fn sources(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    const OTHERS: [&str; 4] = ["target", "node_modules", ".git", "corpus"];
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !OTHERS.contains(&name.as_str()) {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("the file can be read");
            files.push((path, text));
        }
    }
    files
}

fn paths(files: &[(PathBuf, String)]) -> Vec<&Path> {
    files.iter().map(|(path, _)| path.as_path()).collect()
}
