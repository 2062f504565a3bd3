//! Talk with other servers on the same database.

use std::sync::Arc;

use attune_domain::access::Scope;
use attune_domain::execution::ExecutionStatus;
use attune_domain::id::{ExecutionId, TenantId};
use attune_domain::notice::Notice;
use attune_domain::peer::{self, Message};
use attune_domain::store::{Heard, PEER_TEXT_BYTES, StoreResult};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;

use crate::shared::Shared;

/// Messages that may wait to be told; beyond them they are dropped.
const WAITING: usize = 4096;

/// Takes what is to be told. Without peers, nobody does.
#[derive(Default)]
pub(crate) struct Mouth(Option<mpsc::Sender<Message>>);

impl Mouth {
    /// A mouth, and where what it says comes out.
    pub(crate) fn open() -> (Mouth, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Mouth(Some(sender)), receiver)
    }

    /// Tells the others, a little later. What there is no room for is lost.
    pub(crate) fn tell(&self, message: Message) {
        if let Some(sender) = &self.0 {
            // Full, or the server is ending.
            let _ = sender.try_send(message);
        }
    }
}

/// Tells others what there is to tell, as much as has gathered at once.
pub(crate) async fn talk(shared: Arc<Shared>, mut inbox: mpsc::Receiver<Message>) {
    let mut messages = Vec::new();
    while inbox.recv_many(&mut messages, WAITING).await > 0 {
        for text in peer::pack(std::mem::take(&mut messages), PEER_TEXT_BYTES) {
            if let Err(error) = shared.store.tell(&text).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "others were not told");
            }
        }
    }
}

/// Acts on what others tell, until the store is closed.
pub(crate) async fn hear(shared: Arc<Shared>, mut heard: BoxStream<'static, Heard>) {
    while let Some(heard) = heard.next().await {
        match heard {
            Heard::Text(text) => {
                for message in peer::unpack(&text) {
                    act(&shared, message).await;
                }
            }
            Heard::Gap => missed(&shared),
        }
    }
}

/// Others may have told something that did not arrive.
pub(crate) fn missed(shared: &Shared) {
    shared.wake_queue();
    shared.live.look_again();
    // An error means that nobody watches.
    let _ = shared.notices.send(Notice::Missed);
}

async fn act(shared: &Arc<Shared>, message: Message) {
    match message {
        Message::Queue => shared.wake_queue(),
        Message::Cordon => shared.beat_now.notify_one(),
        Message::Stop(id) => {
            shared.live.stop(id).await;
        }
        Message::Output { tenant, execution } => {
            // An error means that nobody watches.
            let _ = shared.notices.send(Notice::Output { tenant, execution });
        }
        Message::Steps { tenant, execution, from, to } => {
            if let Err(error) = pass_on(shared, tenant, execution, from, &to).await {
                tracing::debug!(error = &error as &dyn std::error::Error, "a notice was lost");
                missed(shared);
            }
        }
    }
}

/// Tells those who watch or wait here of what another server has committed.
async fn pass_on(
    shared: &Arc<Shared>,
    tenant: TenantId,
    id: ExecutionId,
    from: Option<ExecutionStatus>,
    to: &[ExecutionStatus],
) -> StoreResult<()> {
    let ended = to.last().is_some_and(|status| status.is_terminal());
    let awaited = ended && shared.live.is_awaited(id);
    if shared.notices.receiver_count() == 0 && !awaited {
        return Ok(());
    }
    let scope = Scope::of_peer(tenant);
    if let Some(execution) = shared.store.execution(scope, id).await? {
        shared.show(&Arc::new(execution), from, to);
    }
    Ok(())
}
