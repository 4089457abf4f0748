//! What no broker would take: checked before a publication gets near a client that would fall over it.

use super::Publication;

/// Longest short string of AMQP 0-9-1 (section 4.2.5.3): queue names, routing keys, message properties.
const SHORT_STRING_BYTES_MAX: usize = 255;

/// The reason for which a publication can be put on no wire, or `None`.
pub(super) fn refusal(publication: &Publication, message_bytes_max: usize) -> Option<String> {
    if let Some(reason) = name_refusal(&publication.queue) {
        return Some(reason);
    }
    let correlation_id = publication.correlation_id.as_deref().unwrap_or_default();
    let properties = [
        ("message id", publication.message_id.as_str()),
        ("correlation id", correlation_id),
        ("content type", publication.content_type),
    ];
    for (what, value) in properties {
        if value.len() > SHORT_STRING_BYTES_MAX {
            return Some(format!("{what} is longer than {SHORT_STRING_BYTES_MAX} bytes"));
        }
    }
    (publication.body.len() > message_bytes_max).then(|| {
        format!(
            "body of {} bytes is over the limit of {message_bytes_max}",
            publication.body.len()
        )
    })
}

/// The reason for which a name cannot be that of a queue, or `None`.
pub(super) fn name_refusal(queue: &str) -> Option<String> {
    if queue.is_empty() {
        return Some("the queue name is empty".to_owned());
    }
    (queue.len() > SHORT_STRING_BYTES_MAX).then(|| format!("the queue name is longer than {SHORT_STRING_BYTES_MAX} bytes"))
}
