//! What servers on one database tell each other. Nothing depends on it: whatever is lost is found
//! by a slow look behind it.

use serde::{Deserialize, Serialize};

use crate::execution::ExecutionStatus;
use crate::id::{ExecutionId, TenantId};

/// One thing that the others may want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// An execution waits in the queue.
    Queue,
    /// A worker's cordon was changed.
    Cordon,
    /// Whoever runs this is to stop it.
    Stop(ExecutionId),
    /// Commits of an execution: the status before them and those that they led to.
    Steps {
        tenant: TenantId,
        execution: ExecutionId,
        from: Option<ExecutionStatus>,
        to: Vec<ExecutionStatus>,
    },
    /// A run wrote something that can be read now.
    Output { tenant: TenantId, execution: ExecutionId },
}

/// Texts of at most `limit` bytes that hold all of `messages`, in order. Equal neighbours become
/// one.
pub fn pack(mut messages: Vec<Message>, limit: usize) -> Vec<String> {
    messages.dedup();
    let mut texts = vec![String::new()];
    for message in messages {
        // Every field has a JSON form, and that has no line breaks.
        let Ok(line) = serde_json::to_string(&message) else { continue };
        if texts.last().is_some_and(|text| text.len() + line.len() >= limit) {
            texts.push(String::new());
        }
        if let Some(text) = texts.last_mut() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    texts.retain(|text| !text.is_empty());
    texts
}

/// The messages of a text. What a newer server says and this one does not know is left out.
pub fn unpack(text: &str) -> impl Iterator<Item = Message> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_in_order() {
        let steps = |id| Message::Steps {
            tenant: TenantId(1),
            execution: ExecutionId(id),
            from: None,
            to: vec![ExecutionStatus::Requested, ExecutionStatus::Scheduled],
        };
        let sent: Vec<_> = (0..100).map(steps).chain([Message::Queue]).collect();
        let texts = pack(sent.clone(), 500);
        assert!(texts.len() > 10 && texts.iter().all(|text| text.len() <= 500), "{texts:?}");
        let got: Vec<_> = texts.iter().flat_map(|text| unpack(text)).collect();
        assert_eq!(got, sent);
    }

    #[test]
    fn repeated_messages_are_sent_once() {
        assert_eq!(pack(vec![Message::Queue; 50], 100), ["\"queue\"\n"]);
        assert!(pack(Vec::new(), 100).is_empty());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let got: Vec<_> = unpack("{\"new_thing\": 1}\n\"queue\"\nnonsense").collect();
        assert_eq!(got, [Message::Queue]);
    }
}
