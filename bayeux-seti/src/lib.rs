//! Who is where in a cluster of Bayeux servers, and how to reach them, on CometD's wire.

#[cfg(test)]
mod proto;
mod statistics;

pub use statistics::SetiStatistics;
