//! The hooks of the application, and what is seen of one that panics.

/// Each hook, and what its panic changes in [what is seen](WITHOUT) without one: what was asked is denied,
/// a message that was shown goes no further, and what was only told changes nothing.
pub(super) const HOOKS: &[(&str, &[&str])] = &[
    ("SecurityPolicy::can_handshake", &["handshake=403::handshake_denied"]),
    (
        "SecurityPolicy::can_create",
        &[
            "create=403:denied_by_security_policy:channel_create_denied",
            "join=403:denied_by_security_policy:create_denied",
        ],
    ),
    (
        "SecurityPolicy::can_subscribe",
        &[
            "subscribe=403:denied_by_security_policy:subscribe_denied",
            "join=403:denied_by_security_policy:subscribe_denied",
            "subscriber=0",
        ],
    ),
    (
        "SecurityPolicy::can_publish",
        &[
            "publish=403:denied_by_security_policy:publish_denied",
            "create=403:denied_by_security_policy:publish_denied",
            "subscriber=0",
            "bystander=0",
            "local=0",
        ],
    ),
    (
        "Authorizer::authorize",
        &[
            "subscribe=403:denied_by_failing_authorizer:subscribe_denied",
            "publish=403:denied_by_failing_authorizer:publish_denied",
            "create=403:denied_by_failing_authorizer:channel_create_denied",
            "join=403:denied_by_failing_authorizer:create_denied",
            "subscriber=0",
            "bystander=0",
            "local=0",
        ],
    ),
    ("ServerExtension::incoming", STOPPED),
    ("ServerExtension::outgoing to all", STOPPED),
    ("ServerExtension::outgoing to one", &["delivered=false"]),
    ("ServerExtension::outgoing as a reply", &["publish=", "create="]),
    ("SessionExtension::incoming", STOPPED),
    ("SessionExtension::outgoing", &["subscriber=0", "delivered=false"]),
    ("SessionExtension::outgoing_reply", &["publish=", "create="]),
    (
        "ServerChannelListener::on_message",
        &["publish=404::message_deleted", "subscriber=0", "bystander=0", "local=0"],
    ),
    (
        "DataFilter::filter_text",
        &["publish=404::message_deleted", "subscriber=0", "bystander=0", "local=0"],
    ),
    ("ServerChannelListener::subscribed", &[]),
    ("ServerChannelListener::unsubscribed", &[]),
    ("ServerChannelListener::is_weak", &["swept=false"]),
    (
        "ChannelListener::configure_channel",
        &[
            "create=403:denied_by_failing_listener:channel_create_denied",
            "join=403:denied_by_failing_listener:create_denied",
        ],
    ),
    ("ChannelListener::channel_added", &[]),
    ("ChannelListener::channel_removed", &[]),
    ("SessionListener::session_added", &[]),
    ("SessionListener::session_removed", &[]),
    ("SubscriptionListener::subscribed", &[]),
    ("SubscriptionListener::unsubscribed", &[]),
    ("ServerSessionListener::removed", &[]),
    ("ServerSessionListener::on_message", &["subscriber=0", "delivered=false"]),
    ("ServerSessionListener::queued", &[]),
    ("ServerSessionListener::queue_maxed", &[]),
    ("DeQueueListener::de_queue", &[]),
    ("ServerSessionListener::suspended", &[]),
    ("ServerSessionListener::resumed", &[]),
    ("ServerSessionListener::connection_lost", &[]),
    ("ClientExtension::incoming", &["local=0"]),
    ("ClientExtension::outgoing", &["local publishes=false"]),
    ("MessageListener::on_message", &[]),
    ("Service::on_message", &["answer="]),
    ("Service::remote_call", &["call=false"]),
    (
        "Backplane::publish",
        &[
            "publish=503::publish_unavailable",
            "create=503::publish_unavailable",
            "subscriber=0",
            "bystander=0",
            "local=0",
        ],
    ),
    ("Backplane::join", &["join=503::subscribe_unavailable"]),
    ("Backplane::leave", &[]),
];

/// A publication below `/a` is deleted on its way.
const STOPPED: &[&str] = &[
    "publish=404::message_deleted",
    "create=404::message_deleted",
    "subscriber=0",
    "bystander=0",
    "local=0",
];

/// What is seen when nothing panics.
pub(super) const WITHOUT: &[&str] = &[
    "subscribe=ok",
    "publish=ok",
    "subscriber=1",
    "bystander=1",
    "local=1",
    "local publishes=true",
    "delivered=true",
    "queue=2,3,4",
    "answer=1",
    "call=true",
    "create=ok",
    "join=ok",
    "handshake=ok",
    "disconnect=ok",
    "unsubscribe=ok",
    "swept=true",
];
