//! What peers need to be here, and how it comes here.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, compare::peer::Peer, say};

/// How a peer is installed.
struct Recipe {
    /// Where in the repository its command runs.
    folder: &'static str,
    /// What is there when it is installed.
    product: &'static str,
    /// What must be here already.
    programs: &'static [&'static str],
    command: &'static str,
}

/// Returns the peers of those wanted that can be started; says which cannot, and what to do.
pub(crate) fn available(root: &Path, wanted: &[Peer], install: bool) -> Vec<Peer> {
    let mut available = wanted.to_vec();
    available.retain(|&peer| {
        let Err(error) = provide(root, peer, install) else { return true };
        say::note(format!("without {}: {error}", peer.name()));
        false
    });
    available
}

fn provide(root: &Path, peer: Peer, install: bool) -> Result<()> {
    let Some(recipe) = recipe(peer) else { return Ok(()) };
    for program in recipe.programs {
        if !is_there(program) {
            return Err(format!("there is no {program}; install it").into());
        }
    }
    if root.join(recipe.folder).join(recipe.product).exists() {
        return Ok(());
    }
    let Recipe { folder, command, .. } = recipe;
    if !install {
        return Err(
            format!("not installed; --install does it, or: cd {folder} && {command}").into()
        );
    }
    say::note(format!("installing {}: {command}", peer.name()));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(root.join(folder)).stdin(Stdio::null());
    let output = shell.output().map_err(|error| format!("cannot run sh: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().last().unwrap_or_default();
    Err(format!("it could not be installed: {complaint}").into())
}

fn recipe(peer: Peer) -> Option<Recipe> {
    let npm = |product| Recipe {
        folder: "interop",
        product,
        programs: &["node", "npm"],
        command: "npm install --no-audit --no-fund",
    };
    match peer {
        Peer::Ours | Peer::Attribute | Peer::Application | Peer::Deliver | Peer::Limit => None,
        Peer::Java => Some(Recipe {
            folder: "benchmark/peers/java",
            product: "target/lib",
            programs: &["java", "mvn"],
            command: "mvn -q -B package",
        }),
        Peer::Centrifugo => Some(Recipe {
            folder: "benchmark/peers",
            product: "bin/centrifugo",
            programs: &["go"],
            command: "GOBIN=$PWD/bin go install github.com/centrifugal/centrifugo/v6@v6.9.1",
        }),
        Peer::Faye => Some(npm("node_modules/faye")),
        Peer::CometdNodejs => Some(npm("node_modules/cometd-nodejs-server")),
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
