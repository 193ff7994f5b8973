//! Clusters: what a message between nodes costs, and objects, nodes that join, and links that wait.

mod alone;
mod encodings;
mod figures;
mod forward;
mod holds;
mod joins;
mod logins;
mod node;
mod nodes;
mod puts;
mod tell;
mod users;
mod wide;

use clap::{Args, Subcommand};

use crate::Result;

/// Measures clusters, each time with nodes of its own, and tells how that compares with what is to be reached.
///
/// `forward`, `alone`, `puts`, `logins` and `tell` start nodes as processes of their own, each on one thread; the others have them
/// in this process.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    part: Part,

    /// Prints the results as one JSON object, and nothing else on standard output.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Part {
    /// Is a node, for the others.
    Node(node::Arguments),
    /// Counts how often a broadcast is encoded, whatever the number of nodes that it goes to.
    Encodings(encodings::Arguments),
    /// Compares a message that goes to a subscriber of another node with one to a subscriber here.
    Forward(forward::Arguments),
    /// Compares the fan-out of a node without others with that of a server which is no node.
    Alone(alone::Arguments),
    /// Has nodes join one that has a large map, and tells when they have it and whom it holds up.
    Joins(joins::Arguments),
    /// Puts entries into a map that other nodes have.
    Puts(puts::Arguments),
    /// Has users log in at a node, and tells when the others know of them.
    Logins(logins::Arguments),
    /// Has nodes join one that has very many users, and tells when they know them and whom it holds up.
    Users(users::Arguments),
    /// Compares a message to a user of another node with a broadcast to a subscriber there.
    Tell(tell::Arguments),
    /// Has many nodes in one process, and tells when all know all, and what their links cost.
    Wide(wide::Arguments),
}

pub(crate) fn start(arguments: Arguments) -> Result<()> {
    let json = arguments.json;
    match arguments.part {
        Part::Node(arguments) => crate::serve(node::run(arguments)),
        Part::Encodings(arguments) => crate::serve(encodings::run(arguments, json)),
        Part::Forward(arguments) => crate::generate(forward::run(arguments, json)),
        Part::Alone(arguments) => crate::generate(alone::run(arguments, json)),
        Part::Joins(arguments) => joins::run(&arguments, json),
        Part::Puts(arguments) => crate::serve(puts::run(arguments, json)),
        Part::Logins(arguments) => crate::serve(logins::run(arguments, json)),
        Part::Users(arguments) => users::run(&arguments, json),
        Part::Tell(arguments) => crate::generate(tell::run(arguments, json)),
        Part::Wide(arguments) => crate::serve(wide::run(arguments, json)),
    }
}
