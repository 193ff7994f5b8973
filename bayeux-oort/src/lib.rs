//! Clusters of Bayeux servers, on CometD's wire.

mod cloud;
mod comet;
mod config;
mod counter;
pub mod discovery;
mod listener;
mod mesh;
pub mod object;
mod oort;
mod options;
mod participant;
mod primary;
mod proto;
mod service;
mod weight;

pub use bayeux_api as api;

pub use cloud::{Cloud, CloudListener, SendError, Sending, StartError};
pub use comet::Comet;
pub use config::{MeshConfig, Trust};
pub use listener::CometListener;
pub use mesh::{Mesh, MeshBuilder, MeshError, MeshStatistics, ObserveError, OortComet};
pub use object::{
    Info, ObjectStatistics, OortList, OortLong, OortLongMap, OortMap, OortObject, OortStringMap,
    ShareError, mergers,
};
pub use oort::{ObserveChannelError, Oort};
pub use options::{OortOption, OortOptionError, OortOptions};
pub use participant::{ChannelTaken, Participant};
pub use primary::{
    ElectionConfig, OortPrimaryLong, OortPrimaryService, PrimaryListener, Role, StartPrimaryError,
};
pub use service::{
    Answer, OortService, Request, ServiceConfig, ServiceError, ServiceStatistics, StartServiceError,
};
