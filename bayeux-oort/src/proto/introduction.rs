//! How nodes introduce themselves: `org.cometd.oort` in the `ext` of handshakes and of their replies.

use bayeux_api::Message;
use serde_json::{Map, Value, json};

use crate::{
    Comet,
    proto::{
        secret::Proof,
        url::{LONGEST, check, is_url},
    },
};

/// The name of the field.
pub(crate) const OORT: &str = "org.cometd.oort";

/// What a node says of itself when it starts a session at another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) comet: Comet,
    /// By which URL it reached the other one.
    pub(crate) comet_url: Option<String>,
    /// If this answers a handshake of the other one: by which URL that reached it.
    pub(crate) alias_url: Option<String>,
    pub(crate) proof: Option<String>,
}

/// Why somebody who says to be a node is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("no text in {0:?}, or one that is too long")]
    Field(&'static str),
    #[error("its \"oortURL\" cannot be the URL of a node: {0}")]
    Url(String),
}

impl Introduction {
    /// Reads the introduction in a handshake; none if its sender does not say that it is a node.
    pub(crate) fn read(handshake: &Message) -> Option<Result<Self, Malformed>> {
        // With anything else it is an ordinary client, as CometD has it.
        let Value::Object(fields) = handshake.ext_field(OORT)? else { return None };
        Some(Self::of(&fields))
    }

    fn of(fields: &Map<String, Value>) -> Result<Self, Malformed> {
        let optional = |name| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => text(fields, name).map(Some),
        };
        let url = text(fields, "oortURL")?;
        check(&url).map_err(Malformed::Url)?;
        Ok(Self {
            comet: Comet::new(text(fields, "oortId")?, url),
            comet_url: optional("cometURL")?,
            alias_url: optional("oortAliasURL")?,
            proof: optional("oortSecret")?,
        })
    }

    /// Returns the field that introduces `own` to the node at `comet_url`.
    pub(crate) fn write(
        own: &Comet,
        comet_url: &str,
        alias_url: Option<&str>,
        proof: Option<&Proof>,
    ) -> Value {
        let mut fields = answer(own);
        fields["cometURL"] = json!(comet_url);
        if let Some(alias_url) = alias_url {
            fields["oortAliasURL"] = json!(alias_url);
        }
        if let Some(proof) = proof {
            fields["oortSecret"] = json!(proof.as_str());
        }
        fields
    }
}

/// Returns the field of a handshake's reply.
pub(crate) fn answer(own: &Comet) -> Value {
    json!({ "oortURL": own.url(), "oortId": own.id() })
}

/// Reads the field of a handshake's reply; none if there is none that can be used.
pub(crate) fn read_answer(reply: &Message) -> Option<Comet> {
    let Value::Object(fields) = reply.ext_field(OORT)? else { return None };
    let url = text(&fields, "oortURL").ok()?;
    is_url(&url).then(|| Some(Comet::new(text(&fields, "oortId").ok()?, url)))?
}

/// Reads the data of a join: `{"oortId":..,"oortURL":..}`.
pub(crate) fn read_join(data: &Value) -> Option<Comet> {
    let fields = data.as_object()?;
    Some(Comet::new(text(fields, "oortId").ok()?, text(fields, "oortURL").ok()?))
}

fn text(fields: &Map<String, Value>, name: &'static str) -> Result<String, Malformed> {
    let text = fields.get(name).and_then(Value::as_str);
    let text = text.filter(|text| !text.is_empty() && text.len() <= LONGEST);
    text.map(str::to_owned).ok_or(Malformed::Field(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(field: Value) -> Message {
        let mut message = Message::new("/meta/handshake");
        message.ext_mut().insert(OORT.to_owned(), field);
        message
    }

    #[test]
    fn what_is_written_is_read() {
        let own = Comet::new("1", "http://a/cometd");
        let proof = Proof::of("sesame");
        let field = Introduction::write(&own, "http://b/cometd", Some("http://x/"), Some(&proof));
        let read = Introduction::read(&handshake(field)).unwrap().unwrap();
        assert_eq!((read.comet.id(), read.comet.url()), ("1", "http://a/cometd"));
        assert_eq!(read.comet_url.as_deref(), Some("http://b/cometd"));
        assert_eq!(read.alias_url.as_deref(), Some("http://x/"));
        assert_eq!(read.proof.as_deref(), Some(proof.as_str()));
    }

    #[test]
    fn what_is_no_object_is_of_no_node() {
        for field in [json!(1), json!("a"), json!([{}]), json!(null), json!(true)] {
            assert_eq!(Introduction::read(&handshake(field)), None);
        }
        assert_eq!(Introduction::read(&Message::new("/meta/handshake")), None);
    }

    #[test]
    fn a_field_of_a_wrong_kind_is_refused() {
        let good = json!({ "oortId": "1", "oortURL": "http://a/", "cometURL": "http://b/" });
        assert!(Introduction::read(&handshake(good.clone())).unwrap().is_ok());
        let long = "x".repeat(LONGEST + 1);
        for name in ["oortId", "oortURL", "cometURL", "oortAliasURL", "oortSecret"] {
            for value in [json!(1), json!({}), json!([]), json!(""), json!(long), json!(false)] {
                let mut field = good.clone();
                field[name] = value;
                assert!(Introduction::read(&handshake(field)).unwrap().is_err(), "{name}");
            }
        }
        for url in ["a", "/cometd", "file:///etc", "http://", "mailto:a@b", "ftp://a/"] {
            let mut field = good.clone();
            field["oortURL"] = json!(url);
            assert!(Introduction::read(&handshake(field)).unwrap().is_err(), "{url}");
        }
    }
}
