//! The bytes of one message together with what its transport says about them.

/// How a message came or goes: a queue has no head; HTTP has a start line and headers that may be signed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Start {
    #[default]
    Queue,
    Request {
        method: String,
        target: String,
    },
    Status(u16),
}

/// One message as bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wire {
    pub start: Start,
    /// Header names in lower case, in order of arrival. Empty for queues.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Wire {
    pub fn queue(body: Vec<u8>) -> Self {
        Self {
            start: Start::Queue,
            headers: Vec::new(),
            body,
        }
    }

    /// The value of a header that occurs exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let value = found.next().map(|(_, value)| value.as_str());
        if found.next().is_some() { None } else { value }
    }
}
