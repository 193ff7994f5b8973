//! A request as the handler gets it, and what it makes of it.

use std::fmt::Display;

use bayeux_api::Json;
use serde::{Serialize, de::DeserializeOwned};

use crate::Comet;

/// What a node asks of a service.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[doc(alias = "OortService.Request")]
pub struct Request {
    /// What is asked.
    #[doc(alias("getData", "getDataAsMap"))]
    pub parameter: Json,
    /// Who asks.
    #[doc(alias = "getOortURL")]
    pub from: Comet,
    /// Whether that is this node itself.
    pub is_local: bool,
    /// Whether all nodes are asked, of which the first that answers is heard.
    pub is_broadcast: bool,
}

impl Request {
    /// Reads what is asked as a `T`.
    ///
    /// # Errors
    ///
    /// When it has not the shape of a `T`. A handler may return this error: it becomes the failure.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.parameter.to()
    }
}

/// What a handler makes of a [`Request`]. A handler may also return a `Result<Answer, E>`: its error is for
/// one who asked this node alone a failure with the error's text, and for one who asked all nodes nothing.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[doc(alias = "OortService.Result")]
pub struct Answer(pub(super) Kind);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Success(Json),
    Failure(Json),
    Ignore(Json),
    /// The handler did not come to an answer, and why.
    Error(String),
}

impl Answer {
    /// Makes the answer of one that did what was asked. A `result` without a JSON form is an error.
    pub fn success(result: impl Serialize) -> Self {
        Self::of(Kind::Success, &result)
    }

    /// Makes the answer of one that failed to do it. The request is over, even if all nodes were asked. A
    /// `failure` without a JSON form is an error.
    pub fn failure(failure: impl Serialize) -> Self {
        Self::of(Kind::Failure, &failure)
    }

    /// Makes the answer of one whom the request does not concern. If all nodes were asked, nothing is
    /// answered; if this one was, it has failed, and `data` says why.
    pub fn ignore(data: impl Serialize) -> Self {
        Self::of(Kind::Ignore, &data)
    }

    fn of(kind: fn(Json) -> Kind, data: &impl Serialize) -> Self {
        Self(Json::new(data).map_or_else(|error| Kind::Error(error.to_string()), kind))
    }

    /// Returns what is told to who asked: whether it is a success, and what; none if it is nothing.
    pub(super) fn told(self, is_broadcast: bool) -> Option<Result<Json, Json>> {
        match self.0 {
            Kind::Success(result) => Some(Ok(result)),
            Kind::Failure(failure) => Some(Err(failure)),
            Kind::Ignore(data) => (!is_broadcast).then_some(Err(data)),
            Kind::Error(text) => (!is_broadcast).then(|| Err(text.into())),
        }
    }
}

impl<T: Into<Self>, E: Display> From<Result<T, E>> for Answer {
    fn from(result: Result<T, E>) -> Self {
        result.map_or_else(|error| Self(Kind::Error(error.to_string())), Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_or_an_error_is_told_only_to_who_asked_this_node_alone() {
        let error = || Answer::from(Err::<Answer, _>("no disk"));
        assert_eq!(error().told(false), Some(Err("no disk".into())));
        assert_eq!(error().told(true), None);
        assert_eq!(Answer::ignore(7).told(false), Some(Err(7.into())));
        assert_eq!(Answer::ignore(7).told(true), None);
        assert_eq!(Answer::failure(7).told(true), Some(Err(7.into())));
        assert_eq!(Answer::success(7).told(true), Some(Ok(7.into())));
    }

    #[test]
    fn an_answer_without_a_json_form_is_an_error() {
        let strange = std::collections::BTreeMap::from([([1, 2], 3)]);
        assert!(matches!(Answer::success(&strange).0, Kind::Error(_)));
    }
}
