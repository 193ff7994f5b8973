//! The queue: order, urgency, bounds, acknowledgements.

use bayeux_api::Message;
use serde_json::json;

use super::*;

const WIDE: Bounds = Bounds { messages: 100, bytes: 100_000 };

fn message(channel: &str, n: u64) -> Arc<Frozen> {
    Message::with_data(channel, json!(n)).freeze()
}

fn lazy(n: u64) -> Arc<Frozen> {
    let mut message = Message::with_data("/lazy", json!(n));
    message.lazy = true;
    message.freeze()
}

fn push(queue: &mut Queue, message: Arc<Frozen>) {
    let pushed = queue.push(message, WIDE, Overflow::Disconnect);
    assert_eq!(pushed, Pushed::Queued { dropped: 0 });
}

fn numbers(messages: &[Arc<Frozen>]) -> Vec<u64> {
    messages.iter().map(|message| message.data.as_ref().unwrap().to().unwrap()).collect()
}

#[test]
fn messages_leave_in_the_order_they_came() {
    let mut queue = Queue::default();
    (0..5).for_each(|n| push(&mut queue, message("/a", n)));
    assert_eq!(numbers(&queue.drain()), [0, 1, 2, 3, 4]);
    assert_eq!(queue.depth(), Depth::default());
}

#[test]
fn lazy_messages_wait_without_urgency() {
    let mut queue = Queue::default();
    push(&mut queue, lazy(1));
    assert!(queue.is_waiting() && !queue.is_urgent());
    push(&mut queue, message("/a", 2));
    assert!(queue.is_urgent());
    assert_eq!(numbers(&queue.drain()), [1, 2]);
    assert!(!queue.is_waiting() && !queue.is_urgent());
}

#[test]
fn what_could_not_be_delivered_comes_first_again() {
    let mut queue = Queue::default();
    (0..3).for_each(|n| push(&mut queue, message("/a", n)));
    let failed = queue.drain();
    push(&mut queue, message("/a", 3));
    queue.put_back(failed);
    assert_eq!(numbers(&queue.drain()), [0, 1, 2, 3]);
}

#[test]
fn a_message_that_fits_nowhere_drops_no_other() {
    let bounds = Bounds { messages: 100, bytes: 200 };
    let mut queue = Queue::default();
    push(&mut queue, message("/a", 0));
    let large = Message::with_data("/a", json!("x".repeat(300))).freeze();
    assert_eq!(queue.push(large, bounds, Overflow::KeepLast), Pushed::Dropped);
    assert_eq!(numbers(&queue.drain()), [0]);
}

#[test]
fn each_overflow_does_what_it_says() {
    let bounds = Bounds { messages: 2, bytes: 100_000 };
    for (overflow, pushed, left) in [
        (Overflow::Disconnect, Pushed::Overflowed, vec![0, 1]),
        (Overflow::DropNewest, Pushed::Dropped, vec![0, 1]),
        (Overflow::DropOldest, Pushed::Queued { dropped: 1 }, vec![1, 2]),
        (Overflow::KeepLast, Pushed::Queued { dropped: 1 }, vec![0, 2]),
    ] {
        let mut queue = Queue::default();
        push(&mut queue, message("/a", 0));
        push(&mut queue, message("/b", 1));
        assert_eq!(queue.push(message("/b", 2), bounds, overflow), pushed, "{overflow:?}");
        assert_eq!(numbers(&queue.drain()), left, "{overflow:?}");
    }
}

#[test]
fn bytes_bound_the_queue_too() {
    let bounds = Bounds { messages: 100, bytes: 2 * message("/a", 0).weight() };
    let mut queue = Queue::default();
    for n in 0..9 {
        queue.push(message("/a", n), bounds, Overflow::DropOldest);
    }
    assert_eq!(numbers(&queue.drain()), [7, 8]);
    let large = Message::with_data("/a", json!("x".repeat(bounds.bytes))).freeze();
    assert_eq!(queue.push(large, bounds, Overflow::DropOldest), Pushed::Dropped);
}

#[test]
fn what_was_read_of_a_message_counts_and_what_is_read_later_upsets_nothing() {
    let mut queue = Queue::default();
    let (read, unread) = (message("/a", 0), message("/a", 1));
    assert_eq!(numbers(std::slice::from_ref(&read)), [0]);
    push(&mut queue, read);
    let bytes = queue.depth().bytes;
    push(&mut queue, unread.clone());
    assert!(bytes > queue.depth().bytes - bytes + size_of::<Message>());
    assert_eq!(numbers(&[unread]), [1]);
    while queue.drop_oldest() {}
    assert_eq!(queue.depth(), Depth::default());
}

#[test]
fn unacknowledged_messages_go_out_again() {
    let mut queue = Queue::default();
    queue.enable_acknowledgements();
    push(&mut queue, message("/a", 1));
    let (batch, sent) = queue.drain_with_reply(false);
    assert_eq!((batch, numbers(&sent)), (Some(1), vec![1]));
    push(&mut queue, message("/a", 2));

    queue.acknowledge(0, Since::MayBeLost);
    assert!(queue.is_urgent());
    let (batch, sent) = queue.drain_with_reply(false);
    assert_eq!((batch, numbers(&sent)), (Some(2), vec![1, 2]));

    queue.acknowledge(2, Since::MayBeLost);
    assert_eq!(queue.depth(), Depth::default());
    assert!(!queue.is_urgent());
}

#[test]
fn a_lazy_message_that_was_never_sent_does_not_hurry() {
    let mut queue = Queue::default();
    queue.enable_acknowledgements();
    queue.drain_with_reply(false);
    push(&mut queue, lazy(1));
    queue.acknowledge(1, Since::MayBeLost);
    assert!(!queue.is_urgent());
}

#[test]
fn enabling_acknowledgements_takes_over_what_waits() {
    let mut queue = Queue::default();
    push(&mut queue, message("/a", 1));
    queue.enable_acknowledgements();
    assert_eq!(numbers(&queue.drain_with_reply(false).1), [1]);
    assert_eq!(queue.depth().messages, 1);
    assert!(queue.drain().is_empty());
}

/// Queues a message of so many bytes.
fn append(queue: &mut Queue, size: usize) {
    let message = Message::with_data("/a", json!("x".repeat(size))).freeze();
    let weight = message.weight();
    queue.append(message, weight);
}

#[test]
fn so_much_goes_ahead_of_a_reply_and_no_more() {
    let bounds = Bounds { messages: 10_000, bytes: 10 * 1024 * 1024 };
    let mut queue = Queue::default();
    queue.enable_acknowledgements();
    for number in 1..=256 {
        assert!(queue.may_go_ahead(bounds));
        append(&mut queue, 1);
        let mut sent = Vec::new();
        assert_eq!((queue.send_ahead(&mut sent), sent.len()), (Some(number), 1));
    }
    assert!(!queue.may_go_ahead(bounds));
    let (batch, sent) = queue.drain_with_reply(true);
    assert_eq!((batch, sent.len()), (Some(257), 0));
    assert!(queue.may_go_ahead(bounds));
    append(&mut queue, 64 * 1024);
    assert!(!queue.may_go_ahead(bounds));
    queue.acknowledge(257, Since::OnItsWay);
    assert_eq!(queue.depth().messages, 1);
}

#[test]
fn of_a_small_queue_a_part_goes_ahead() {
    let (few, little) = (
        Bounds { messages: 16, bytes: 1024 * 1024 },
        Bounds { messages: 10_000, bytes: 64 * 1024 },
    );
    for (bounds, size) in [(few, 1), (little, 4 * 1024)] {
        let mut queue = Queue::default();
        queue.enable_acknowledgements();
        append(&mut queue, size);
        assert!(queue.may_go_ahead(bounds));
        append(&mut queue, size);
        assert!(!queue.may_go_ahead(bounds));
    }
}

#[test]
fn what_was_not_written_after_all_waits_again_and_what_was_does_not() {
    let mut queue = Queue::default();
    queue.enable_acknowledgements();
    push(&mut queue, message("/a", 1));
    queue.send_ahead(&mut Vec::new());
    push(&mut queue, message("/a", 2));
    let mut messages = Vec::new();
    queue.send_ahead(&mut messages);
    queue.put_back(messages);
    let mut again = Vec::new();
    assert_eq!(queue.send_ahead(&mut again), Some(3));
    assert_eq!(numbers(&again), [2]);
    queue.acknowledge(3, Since::OnItsWay);
    assert_eq!(queue.depth(), Depth::default());
}
