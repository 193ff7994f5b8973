//! One of the nodes: a Bayeux server with a map that it shares with the others.

use std::{error::Error, sync::Arc};

use bayeux_oort::{Mesh, Oort, OortStringMap, discovery::StaticList};
use bayeux_server::{Config, Request, ServeConfig, Server, Service, api::Json, serve};
use examples::node::{self, NodeArguments, end_of_input, say_ready};
use serde::Deserialize;
use serde_json::json;

use crate::view;

/// What the nodes share.
pub(crate) type Board = OortStringMap<String>;

/// Runs until the standard input ends, with whoever started it.
pub(crate) async fn run(arguments: NodeArguments) -> Result<(), Box<dyn Error>> {
    node::run(arguments.name.clone(), serve_as(arguments)).await
}

async fn serve_as(arguments: NodeArguments) -> Result<(), Box<dyn Error>> {
    let server = Server::builder().config(Config::default()).build();
    let listener = examples::listen(arguments.listen).await?;
    let mesh = Mesh::builder(&arguments.url)
        .secret(&arguments.secret)
        .discovery(Arc::new(StaticList::new(arguments.cloud)))
        .build()?;
    let oort = Oort::start(&server, Arc::new(mesh.clone())).await?;
    let board = Board::start(&oort, "board").await?;
    // Each life has an entry of its own, so that one sees that it is another one.
    drop(board.put_and_share(arguments.name, format!("life {}", arguments.life)).await?);
    let _service = offer(&server, &board).await?;
    view::start(&server, &mesh, &oort, &board);

    say_ready();
    let app = axum::Router::new().nest_service("/cometd", server.service());
    let served = serve(&server, listener, app, ServeConfig::default());
    tokio::select! {
        served = served => Ok(served?),
        () = end_of_input() => Ok(()),
    }
}

#[derive(Deserialize)]
struct Put {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct Remove {
    key: String,
}

/// The longest key or value, in characters.
const LONGEST: usize = 40;

/// How many entries a node may have.
const MOST: usize = 100;

/// Has the page change this node's part of the map.
async fn offer(server: &Server, board: &Board) -> Result<Service, Box<dyn Error>> {
    let mut service = server.new_service("board").await?;
    let put = board.clone();
    service.remote_call("board/put", move |request| {
        let board = put.clone();
        async move {
            let Put { key, value } = data(request)?;
            let is_long = [&key, &value].iter().any(|text| text.chars().count() > LONGEST);
            let own = board.own_info();
            let is_full = own.object().len() >= MOST && !own.object().contains_key(&key);
            if key.trim().is_empty() || is_long {
                return Err(json!(format!("a key has 1 to {LONGEST} characters")).into());
            }
            if is_full {
                return Err(json!(format!("a node has {MOST} entries at most")).into());
            }
            changed(board.put_and_share(key, value).await)
        }
    })?;
    let remove = board.clone();
    service.remote_call("board/remove", move |request| {
        let board = remove.clone();
        async move {
            let Remove { key } = data(request)?;
            changed(board.remove_and_share(key).await)
        }
    })?;
    Ok(service)
}

fn data<T: for<'de> Deserialize<'de>>(request: Request) -> Result<T, Json> {
    let read = request.message.data.and_then(|data| data.to::<T>().ok());
    read.ok_or_else(|| json!("that is no entry").into())
}

fn changed<T>(done: Result<T, bayeux_oort::ShareError>) -> Result<Json, Json> {
    match done {
        Ok(_) => Ok(json!(true).into()),
        Err(error) => Err(json!(error.to_string()).into()),
    }
}
