//! Why a service with a primary cannot be started.

use crate::{StartServiceError, object::ObjectError};

/// Why a service with a primary cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartPrimaryError {
    /// The service cannot be.
    #[error(transparent)]
    Service(#[from] StartServiceError),
    /// The object by which the nodes say who is primary cannot be.
    #[error(transparent)]
    Object(#[from] ObjectError),
}
