//! `OortPrimaryLong`: a number that one node has for all.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bayeux_api::{Json, Registration};

use crate::{
    Answer, Comet, Oort, OortPrimaryService, PrimaryListener, Request, Role, ServiceConfig,
    ServiceError, StartPrimaryError, proto::number,
};

/// A number that the primary has, and all nodes count with. Cheap to clone.
///
/// It is in the memory of the primary alone. A primary that starts again, or another one that is elected,
/// begins with its own `initial`, or with what it had when it was primary before: where numbers must not come
/// twice, they need to be told apart by more than this.
///
/// ```
/// # use bayeux_oort::Cloud;
/// use bayeux_oort::{Oort, OortPrimaryLong, Role};
/// use bayeux_server::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let hub = tests::cloud_hub::CloudHub::default();
/// # let cloud = |id: &str| hub.cloud(id, &format!("http://{id}:8080/cometd"));
/// let here = Oort::start(&Server::new(), cloud("here")).await?;
/// let there = Oort::start(&Server::new(), cloud("there")).await?;
/// let ids = OortPrimaryLong::start(&here, "ids", Role::Primary, 1000).await?;
/// let same = OortPrimaryLong::start(&there, "ids", Role::Secondary, 1000).await?;
/// # while ids.primary().is_none() || same.primary().is_none() { tokio::task::yield_now().await }
///
/// assert_eq!(same.get_and_add(1).await?, 1000);
/// assert_eq!(ids.add_and_get(1).await?, 1002);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OortPrimaryLong {
    service: OortPrimaryService,
    value: Arc<AtomicI64>,
}

impl OortPrimaryLong {
    /// Starts the number of this name on a node. Neither a service nor an object there may have the name.
    ///
    /// # Errors
    ///
    /// When `name` is not one segment of a channel's name.
    pub async fn start(
        oort: &Oort,
        name: &str,
        role: Role,
        initial: i64,
    ) -> Result<Self, StartPrimaryError> {
        Self::start_with(oort, name, role, ServiceConfig::default(), initial).await
    }

    /// [Starts](Self::start) a number whose service behaves as `config` says.
    ///
    /// # Errors
    ///
    /// When `name` is not one segment of a channel's name.
    pub async fn start_with(
        oort: &Oort,
        name: &str,
        role: Role,
        config: ServiceConfig,
        initial: i64,
    ) -> Result<Self, StartPrimaryError> {
        let value = Arc::new(AtomicI64::new(initial));
        let counted = value.clone();
        let handler = move |request: Request| {
            let answer = whole(&request.parameter)
                .map(|delta| Answer::success(counted.fetch_add(delta, Ordering::Relaxed)));
            std::future::ready(answer.ok_or("what is to be added is no whole number of 64 bits"))
        };
        let service =
            OortPrimaryService::begin(oort, name, role, config, 0.into(), handler).await?;
        Ok(Self { service, value })
    }

    /// Returns the number.
    ///
    /// # Errors
    ///
    /// [`ServiceError::Nobody`] at once when there is no primary; that of
    /// [`OortService::forward`](crate::OortService::forward) otherwise.
    pub async fn get(&self) -> Result<i64, ServiceError> {
        self.get_and_add(0).await
    }

    /// Adds to the number, and returns what it was before. It wraps around at the ends of 64 bits.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get). After a [timeout](ServiceError::Timeout), and when the primary
    /// [left](ServiceError::Left), it may have been added or not.
    pub async fn get_and_add(&self, delta: i64) -> Result<i64, ServiceError> {
        let old: Json = self.service.forward_json(delta).await?;
        whole(&old)
            .ok_or_else(|| ServiceError::Result("it is no whole number of 64 bits".to_owned()))
    }

    /// Adds to the number, and returns what it is then. It wraps around at the ends of 64 bits.
    ///
    /// # Errors
    ///
    /// As [`get_and_add`](Self::get_and_add).
    pub async fn add_and_get(&self, delta: i64) -> Result<i64, ServiceError> {
        Ok(self.get_and_add(delta).await?.wrapping_add(delta))
    }

    /// Returns what this node has, which is the number if it is primary.
    #[doc(alias = "getValue")]
    pub fn value(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Returns whether this node is primary.
    #[doc(alias = "isPrimary")]
    pub fn is_primary(&self) -> bool {
        self.service.is_primary()
    }

    /// Returns the node that is primary as far as this one knows.
    #[doc(alias = "getPrimaryOortURL")]
    pub fn primary(&self) -> Option<Comet> {
        self.service.primary()
    }

    /// Adds a listener to what becomes of the primary. It is not told of what is so already.
    pub fn add_listener(&self, listener: Arc<dyn PrimaryListener>) -> Registration {
        self.service.add_listener(listener)
    }

    /// Ends it, as [`OortPrimaryService::stop`] does.
    pub async fn stop(&self) {
        self.service.stop().await;
    }
}

/// Reads a whole number of 64 bits, of which `1.0` is one.
fn whole(json: &Json) -> Option<i64> {
    number::whole(json.text().trim()).and_then(|number| i64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_no_fraction_and_64_bits() {
        let number = |text: &str| whole(&Json::from_text(text).unwrap());
        assert_eq!(number("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(number("9007199254740993"), Some(9_007_199_254_740_993));
        assert_eq!(number("1.0"), Some(1));
        assert_eq!(number("-2e1"), Some(-20));
        for other in ["1.5", "\"1\"", "null", "true", "[1]", "{}", "9223372036854775808", "1e300"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
