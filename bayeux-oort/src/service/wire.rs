//! Requests and results as they are on the wire, CometD's.
//!
//! What is there has to be of its type, and a URL that of the node it came from. A result's id is a number,
//! `1.0` being as good as `1`; a request's is echoed as it came, and may be a text.

use bayeux_api::Json;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Comet, proto::number::whole};

/// A request that came from another node.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: Box<RawValue>,
    pub(super) parameter: Json,
}

/// A result that came from another node.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) id: u64,
    pub(super) result: Result<Json, Json>,
}

/// Makes a request of this node.
pub(super) fn request(own: &Comet, id: u64, parameter: &Json) -> Result<Json, serde_json::Error> {
    Json::new(&Request { id, url: own.url(), parameter })
}

/// Makes the answer of this node to a request of this id.
pub(super) fn result(
    own: &Comet,
    id: &RawValue,
    result: &Result<Json, Json>,
) -> Result<Json, serde_json::Error> {
    let (is_success, data) = match result {
        Ok(data) => (true, data),
        Err(data) => (false, data),
    };
    Json::new(&Answer { id, url: own.url(), result: is_success, data })
}

impl Question {
    /// Reads a request; none when it is not as it has to be.
    pub(super) fn read(from: &Comet, data: Option<&Json>) -> Option<Self> {
        let fields = Fields::read(from, data)?;
        let id = fields.id.filter(|id| is_number(id) || is_text(id))?;
        Some(Self { id, parameter: json(fields.parameter)? })
    }
}

impl Told {
    /// Reads a result; none when it is not as it has to be.
    pub(super) fn read(from: &Comet, data: Option<&Json>) -> Option<Self> {
        let fields = Fields::read(from, data)?;
        let id = u64::try_from(whole(fields.id?.get())?).ok()?;
        let data = json(fields.data)?;
        let result = match fields.result?.get() {
            "true" => Ok(data),
            "false" => Err(data),
            _ => return None,
        };
        Some(Self { id, result })
    }
}

/// What the two have in common.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "oort.service.id")]
    id: Option<Box<RawValue>>,
    #[serde(rename = "oort.service.url")]
    url: Option<String>,
    #[serde(rename = "oort.service.parameter")]
    parameter: Option<Box<RawValue>>,
    #[serde(rename = "oort.service.result")]
    result: Option<Box<RawValue>>,
    #[serde(rename = "oort.service.data")]
    data: Option<Box<RawValue>>,
}

impl Fields {
    fn read(from: &Comet, data: Option<&Json>) -> Option<Self> {
        let fields = data?.to::<Self>().ok()?;
        // Whoever names another one would have it answered, or heard, in that one's place.
        (fields.url.as_deref() == Some(from.url())).then_some(fields)
    }
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "oort.service.id")]
    id: u64,
    #[serde(rename = "oort.service.url")]
    url: &'a str,
    #[serde(rename = "oort.service.parameter")]
    parameter: &'a Json,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "oort.service.id")]
    id: &'a RawValue,
    #[serde(rename = "oort.service.url")]
    url: &'a str,
    #[serde(rename = "oort.service.result")]
    result: bool,
    #[serde(rename = "oort.service.data")]
    data: &'a Json,
}

/// What is not there is `null`.
fn json(raw: Option<Box<RawValue>>) -> Option<Json> {
    raw.map_or_else(|| Some(serde_json::Value::Null.into()), |raw| Json::new(&raw).ok())
}

fn is_text(raw: &RawValue) -> bool {
    raw.get().starts_with('"')
}

fn is_number(raw: &RawValue) -> bool {
    raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn a() -> Comet {
        Comet::new("a", "http://a:8080/cometd")
    }

    /// A copy of `whole` with one field changed, or without it.
    fn with(whole: &Value, field: &str, value: Option<Value>) -> Json {
        let mut changed = whole.clone();
        let fields = changed.as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
        changed.into()
    }

    #[test]
    fn both_are_written_as_recorded() {
        let request = request(&a(), 1, &json!("P").into()).unwrap();
        assert_eq!(
            request,
            json!({
                "oort.service.id": 1,
                "oort.service.url": "http://a:8080/cometd",
                "oort.service.parameter": "P",
            })
        );
        let id = Question::read(&a(), Some(&request)).unwrap().id;
        let result = result(&a(), &id, &Ok(json!({ "echo": "P" }).into())).unwrap();
        assert_eq!(
            result,
            json!({
                "oort.service.id": 1,
                "oort.service.url": "http://a:8080/cometd",
                "oort.service.result": true,
                "oort.service.data": { "echo": "P" },
            })
        );
    }

    #[test]
    fn a_request_has_an_id_that_is_echoed_as_it_came() {
        for id in [json!(1), json!(1.0), json!(-7), json!("x\"y"), json!(9007199254740993u64)] {
            let request = json!({ "oort.service.id": id, "oort.service.url": a().url() });
            let asked = Question::read(&a(), Some(&request.into())).unwrap();
            let result = result(&a(), &asked.id, &Err(json!(null).into())).unwrap();
            assert_eq!(result.value()["oort.service.id"], id);
            assert_eq!(asked.parameter, json!(null));
        }
    }

    #[test]
    fn a_request_of_another_form_is_refused() {
        let whole = json!({
            "oort.service.id": 1,
            "oort.service.url": "http://a:8080/cometd",
            "oort.service.parameter": "P",
        });
        assert!(Question::read(&a(), Some(&whole.clone().into())).is_some());
        let strange = [json!(null), json!(true), json!([]), json!({})];
        for id in strange.iter().cloned().map(Some).chain([None]) {
            assert!(Question::read(&a(), Some(&with(&whole, "oort.service.id", id))).is_none());
        }
        let urls = strange.into_iter().chain([json!(1), json!("http://b:8080/cometd")]);
        for url in urls.map(Some).chain([None]) {
            assert!(Question::read(&a(), Some(&with(&whole, "oort.service.url", url))).is_none());
        }
        for data in [json!([]), json!("x"), json!(null), json!(1)] {
            assert!(Question::read(&a(), Some(&data.into())).is_none());
        }
        assert!(Question::read(&a(), None).is_none());
    }

    #[test]
    fn a_results_id_is_a_whole_number_and_its_success_a_truth_value() {
        let whole = json!({
            "oort.service.id": 1,
            "oort.service.url": "http://a:8080/cometd",
            "oort.service.result": false,
            "oort.service.data": 7,
        });
        let read = |data: Json| Told::read(&a(), Some(&data));
        assert_eq!(read(whole.clone().into()).unwrap().result, Err(7.into()));
        for id in [json!(1.0), json!(1)] {
            assert_eq!(read(with(&whole, "oort.service.id", Some(id))).unwrap().id, 1);
        }
        let exponent = r#"{"oort.service.id":10e-1,"oort.service.url":"http://a:8080/cometd","oort.service.result":true}"#;
        let exponent = read(Json::from_text(exponent).unwrap()).unwrap();
        assert_eq!((exponent.id, exponent.result), (1, Ok(json!(null).into())));
        for id in [json!(1.5), json!(-1), json!("1"), json!(null), json!([1]), json!(1e300)] {
            assert!(read(with(&whole, "oort.service.id", Some(id))).is_none());
        }
        for result in [json!("true"), json!(1), json!(null), json!({})] {
            assert!(read(with(&whole, "oort.service.result", Some(result))).is_none());
        }
        for field in ["oort.service.id", "oort.service.url", "oort.service.result"] {
            assert!(read(with(&whole, field, None)).is_none());
        }
    }

    #[test]
    fn what_is_asked_keeps_every_digit() {
        let text = r#"{"oort.service.id":1,"oort.service.url":"http://a:8080/cometd","oort.service.parameter":1.10000000000000000000001}"#;
        let asked = Question::read(&a(), Some(&Json::from_text(text).unwrap())).unwrap();
        assert_eq!(asked.parameter.text(), "1.10000000000000000000001");
    }
}
