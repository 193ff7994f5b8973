//! The example of a user with several devices runs to its end, and says what has to be true.

use std::process::Command;

#[test]
fn a_user_is_reached_on_all_devices_and_a_device_alone() {
    let run = Command::new(env!("CARGO_BIN_EXE_devices")).output().unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let count = |line: &str| said.lines().filter(|one| one.trim() == line).count();
    assert_eq!(count(r#"phone: "dinner is ready""#), 1, "{said}");
    assert_eq!(count(r#"laptop: "dinner is ready""#), 1, "{said}");
    assert_eq!(count(r#"laptop: "a file for your large screen""#), 1, "{said}");
    assert_eq!(said.matches("a file for your large screen").count(), 1, "{said}");
    assert_eq!(count("north: dave/phone is nowhere"), 1, "{said}");
}
