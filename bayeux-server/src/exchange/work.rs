//! Work for the application on the way to an answer. It goes on when whoever asked for it has gone, as with
//! `finish`; but it begins in a place that its thread keeps, and a connection, which has other things to do
//! meanwhile, has it go on itself.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll},
};

use bayeux_api::implement::Hook;
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::sync::ReusableBoxFuture;

use crate::{
    exchange::reply::Answer,
    fan_out::{Together, together},
    server::Server,
    session::{AtWork, Session},
};

/// Work that waits for the application. None is its answer when it panicked, which is caught at each of
/// the application's hooks already.
pub(crate) type Work = ReusableBoxFuture<'static, Option<Box<Answer>>>;

/// Work that has begun.
pub(crate) enum Begun {
    Done(Option<Box<Answer>>),
    /// It takes its time, and has to be a task that ends whoever goes.
    Goes(Work),
}

thread_local! {
    /// The place in which requests are worked on, which is as large as the largest thing that one may wait
    /// in. It goes with one that waits.
    static PLACE: Cell<Option<Work>> = const { Cell::new(None) };
}

fn caught<T>(work: impl Future<Output = T>) -> impl Future<Output = Option<T>> {
    Hook("a request", "").caught(work)
}

/// Begins with `work`, in the place that this thread has for it: of one kind only, so that it fits.
pub(super) fn begin_here(
    work: impl Future<Output = Box<Answer>> + Send + 'static,
    context: &mut Context<'_>,
) -> Begun {
    let mut place = match PLACE.take() {
        Some(mut place) => {
            place.set(caught(work));
            place
        }
        None => Work::new(caught(work)),
    };
    match place.poll(context) {
        Poll::Ready(answer) => {
            PLACE.set(Some(place));
            Begun::Done(answer)
        }
        Poll::Pending => Begun::Goes(place),
    }
}

/// Begins with `work`, in a place of its own.
pub(super) fn begin(
    work: impl Future<Output = Box<Answer>> + Send + 'static,
    context: &mut Context<'_>,
) -> Begun {
    let mut work = Work::new(caught(work));
    match work.poll(context) {
        Poll::Ready(answer) => Begun::Done(answer),
        Poll::Pending => Begun::Goes(work),
    }
}

/// Has work go on in a task, for a session, which lives meanwhile.
pub(crate) fn go_on(
    server: &Server,
    session: Option<&Arc<Session>>,
    work: Work,
) -> JoinHandle<Option<Box<Answer>>> {
    let (work, at_work) = (Together::new(server, work), session.map(AtWork::begin));
    tokio::spawn(async {
        let done = work.await;
        drop(at_work);
        done
    })
}

/// Begins with work for a session, and waits for its end; where there is a runtime it ends though this is
/// dropped.
pub(super) async fn finished(
    server: &Server,
    session: Option<&Arc<Session>>,
    begin: impl FnOnce(&mut Context<'_>) -> Begun + Unpin,
) -> Option<Box<Answer>> {
    let mut begin = Some(begin);
    let first = poll_fn(|context| {
        let begun = begin.take().map(|begin| together(server, || begin(context)));
        Poll::Ready(begun)
    });
    match first.await? {
        Begun::Done(answer) => answer,
        Begun::Goes(work) => match Handle::try_current() {
            Ok(_) => go_on(server, session, work).await.ok().flatten(),
            Err(_) => Together::new(server, work).await,
        },
    }
}
