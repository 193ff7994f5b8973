//! What a node's page asks for: what there is, to bid, and to say something to all.

use std::sync::Arc;

use bayeux_server::{
    Request, Server, Service,
    api::{Json, server::GrantAuthorizer},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    bidder::bidder_of,
    goods::{self, CATEGORIES, ITEMS},
    house::{Desk, LOTS, NOTICE, Offer, now},
    lot::{Refusal, cents},
    node::Result,
    view::{HOUSE, View},
};

/// Where all hear what one says.
pub(crate) const CHAT: &str = "/auction/chat";

/// The longest that is said at once, in characters.
const LONGEST: usize = 200;

#[derive(Deserialize)]
struct Bid {
    item: String,
    amount: Value,
}

#[derive(Deserialize)]
struct Words {
    text: String,
}

/// Offers the page of the node `name` what it asks for; that ends when what is returned is dropped.
pub(crate) async fn offer(
    server: &Server,
    desk: &Desk,
    name: &str,
    view: &Arc<View>,
) -> Result<Service> {
    // The house alone publishes there.
    for channel in [LOTS, HOUSE, CHAT, NOTICE] {
        server.create_channel_if_absent_with(channel, |channel| {
            channel.set_persistent(true);
            channel.add_authorizer(Arc::new(GrantAuthorizer::SUBSCRIBE)).keep();
        })?;
    }
    let mut service = server.new_service("auction").await?;
    let (all, name, view) = (desk.clone(), name.to_owned(), view.clone());
    service.remote_call("auction/enter", move |request| {
        let welcome = welcome(&request, &all, &name, &view);
        std::future::ready(Ok(welcome.into()))
    })?;
    let bids = desk.clone();
    service.remote_call("auction/bid", move |request| {
        let desk = bids.clone();
        async move { bid(request, &desk).await.map_err(Json::from) }
    })?;
    let chat = server.clone();
    service.remote_call("auction/say", move |request| {
        let server = chat.clone();
        async move { say(request, &server).await.map_err(Json::from) }
    })?;
    Ok(service)
}

/// All that a page has to know when it comes.
fn welcome(request: &Request, desk: &Desk, name: &str, view: &View) -> Value {
    json!({
        "node": name,
        "you": bidder_of(&*request.sender),
        "categories": CATEGORIES,
        "items": ITEMS,
        "lots": desk.house.lots(),
        "house": view.latest(),
        "now": now(),
    })
}

async fn bid(request: Request, desk: &Desk) -> std::result::Result<Json, String> {
    let bidder = who(&request)?;
    let Bid { item, amount } = data(request, "That is no bid: it has an item and an amount.")?;
    // What is nothing in any case goes to no other node, however large it is.
    let readable = goods::find(&item).ok_or(Refusal::NoItem).and_then(|_| cents(&amount));
    readable.map_err(|refusal| refusal.to_string())?;
    Ok(desk.bid(&Offer { item, amount, bidder }).await?.into())
}

async fn say(request: Request, server: &Server) -> std::result::Result<Json, String> {
    let bidder = who(&request)?;
    let Words { text } = data(request, "A message is a text.")?;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(format!("A message has 1 to {LONGEST} characters."));
    }
    let channel = server.channel(CHAT).ok_or("The house is over.")?;
    let said = channel.publish(json!({ "name": bidder, "text": text })).await;
    said.map_err(|error| error.to_string())?;
    Ok(json!(true).into())
}

fn who(request: &Request) -> std::result::Result<String, String> {
    bidder_of(&*request.sender).ok_or_else(|| "Enter first, under a name.".to_owned())
}

fn data<T: for<'de> Deserialize<'de>>(
    request: Request,
    otherwise: &str,
) -> std::result::Result<T, String> {
    let read = request.message.data.and_then(|data| data.to::<T>().ok());
    read.ok_or_else(|| otherwise.to_owned())
}
