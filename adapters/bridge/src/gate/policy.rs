//! What the bridge makes of every page's requests.

use crate::config::PolicyConfig;
use crate::kafka::batch::Codec;
use crate::kafka::records::HeaderPolicy;

/// Stands for the token's subject in the value of a header.
const SUBJECT: &str = "{sub}";

/// The configured policy, checked.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// What brokers are told for a client id, whatever the page calls itself.
    pub(crate) client_id: String,
    pub(crate) codecs: Vec<Codec>,
    /// May asking for a topic create it?
    pub(crate) create_topics: bool,
    pub(crate) max_timeout_ms: i32,
    /// How far in the future a record may be.
    pub(crate) max_ahead_ms: i64,
    /// Headers of one record.
    pub(crate) max_headers: usize,
    /// Bytes of a batch, and of its records without compression.
    pub(crate) max_batch: usize,
    pub(crate) max_plain: usize,
    headers: HeaderPolicy,
}

impl Policy {
    /// # Errors
    /// A codec that there is not, or a header without a name.
    pub(crate) fn new(
        config: &PolicyConfig,
        client_id: &str,
        max_batch: usize,
        max_plain: usize,
    ) -> Result<Self, String> {
        let codec = |name: &String| {
            let found = Codec::ALL.into_iter().find(|codec| codec.name() == name);
            found.ok_or_else(|| format!("policy.codecs: there is no {name:?}"))
        };
        let mut headers = HeaderPolicy::default();
        for entry in &config.add_headers {
            let (name, value) = entry
                .split_once('=')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| format!("policy.add_headers: {entry:?} is not NAME=VALUE"))?;
            headers.add.push((name.to_owned(), value.as_bytes().to_vec()));
        }
        for name in &config.remove_headers {
            match name.strip_suffix('*') {
                Some(start) => headers.remove_beginning.push(start.to_owned()),
                None => headers.remove.push(name.clone()),
            }
        }
        let seconds = i64::try_from(config.max_ahead_s).unwrap_or(i64::MAX);
        Ok(Self {
            client_id: client_id.to_owned(),
            codecs: config.codecs.iter().map(codec).collect::<Result<_, _>>()?,
            create_topics: config.create_topics,
            max_timeout_ms: i32::try_from(config.max_timeout_ms).unwrap_or(i32::MAX),
            max_ahead_ms: seconds.saturating_mul(1_000),
            max_headers: config.max_headers,
            max_batch,
            max_plain,
            headers,
        })
    }

    /// The headers' part, for this subject.
    pub(crate) fn headers_for(&self, subject: &str) -> HeaderPolicy {
        let mut headers = self.headers.clone();
        for (_, value) in &mut headers.add {
            if let Ok(text) = str::from_utf8(value) {
                *value = text.replace(SUBJECT, subject).into_bytes();
            }
        }
        headers
    }
}
