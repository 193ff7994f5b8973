//! The objects and the service that a node has, and what is told of them.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_oort::{
    Answer, Info, Oort, OortList, OortLong, OortPrimaryLong, OortService, OortStringMap, Request,
    Role, ServiceError,
    api::{Json, Registration},
    object::{
        ElementDeltas, ElementListener, Elements, Entries, Entry, EntryDeltas, EntryListener,
    },
};
use serde_json::{Map, Value, json};

use crate::{Result, lines};

/// What CometD's nodes for Java have, under the same names.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) map: OortStringMap<Value>,
    pub(crate) list: OortList<Value>,
    pub(crate) long: OortLong,
    pub(crate) numbers: OortPrimaryLong,
    echo: OortService,
    _tellings: Vec<Registration>,
}

impl Objects {
    pub(crate) async fn start(oort: &Oort, is_primary: bool) -> Result<Self> {
        let map = OortStringMap::start(oort, "map").await?;
        let list = OortList::start(oort, "list").await?;
        let long = OortLong::start(oort, "long", 0).await?;
        let role = if is_primary { Role::Primary } else { Role::Secondary };
        let numbers = OortPrimaryLong::start(oort, "numbers", role, 0).await?;
        let own = oort.own().url().to_owned();
        let echo = OortService::start(oort, "echo", move |request| {
            std::future::ready(echo(&request, &own))
        })?;
        let tell = Arc::new(Tell);
        let tellings = vec![
            map.add_entry_listener(tell.clone()),
            map.add_listener(Arc::new(EntryDeltas::new(tell.clone()))),
            list.add_element_listener(tell.clone()),
            list.add_listener(Arc::new(ElementDeltas::new(tell))),
        ];
        Ok(Self { map, list, long, numbers, echo, _tellings: tellings })
    }

    /// Empties the own part of each.
    pub(crate) async fn clear(&self) -> Result<Value> {
        let _ = self.map.set_and_share([]).await?;
        let _ = self.list.set_and_share([]).await?;
        let _ = self.long.get_and_set(0).await?;
        Ok(json!(true))
    }

    pub(crate) fn map_parts(&self) -> Value {
        parts(&self.map.infos(), |entries| {
            entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        })
    }

    pub(crate) fn list_parts(&self) -> Value {
        parts(&self.list.infos(), |elements| elements.iter().cloned().collect())
    }

    /// Asks a node, or all, with the errors that CometD's node tells in the same words.
    pub(crate) async fn forward(&self, url: Option<&str>, parameter: Value) -> Result<Value> {
        match self.echo.forward_json(url, parameter).await {
            Ok(result) => Ok(result.value()),
            Err(ServiceError::Failure(failure)) => Err(text(&failure).into()),
            Err(ServiceError::Unknown(_)) => Err("not forwarded".into()),
            Err(other) => Err(other.into()),
        }
    }
}

/// Answers with the parameter and who it is, unless the parameter is what it should do.
fn echo(request: &Request, own: &str) -> Result<Answer> {
    let parameter = request.parameter.value();
    Ok(match parameter.as_str() {
        Some("fail") => Answer::failure("failed"),
        Some("throw") => return Err("thrown".into()),
        Some("ignore") => Answer::ignore("ignored"),
        Some("ignore-own") if request.is_local => Answer::ignore("ignored"),
        Some(_) | None => Answer::success(json!({ "echo": parameter, "by": own })),
    })
}

fn text(failure: &Json) -> String {
    failure.value().as_str().map_or_else(|| failure.text().into_owned(), str::to_owned)
}

fn parts<T>(infos: &[Info<T>], object: impl Fn(&T) -> Value) -> Value {
    let parts = infos.iter().map(|info| (info.url().to_owned(), object(info.object())));
    Value::Object(parts.collect::<Map<_, _>>())
}

/// Tells what becomes of the objects.
#[derive(Debug)]
struct Tell;

#[async_trait]
impl EntryListener<String, Value> for Tell {
    async fn put(&self, info: &Info<Entries<String, Value>>, entry: &Entry<String, Value>) {
        let fields =
            json!({ "node": info.url(), "key": entry.key, "old": entry.old, "value": entry.new });
        lines::tell("put", fields);
    }

    async fn removed(&self, info: &Info<Entries<String, Value>>, entry: &Entry<String, Value>) {
        let fields = json!({ "node": info.url(), "key": entry.key, "old": entry.old });
        lines::tell("removed", fields);
    }
}

#[async_trait]
impl ElementListener<Value> for Tell {
    async fn added(&self, info: &Info<Elements<Value>>, elements: &[Value]) {
        lines::tell("elements-added", json!({ "node": info.url(), "elements": elements }));
    }

    async fn removed(&self, info: &Info<Elements<Value>>, elements: &[Value]) {
        lines::tell("elements-removed", json!({ "node": info.url(), "elements": elements }));
    }
}
