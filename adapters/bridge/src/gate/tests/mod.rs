//! The gate against requests that other code than the bridge's encodes, and everything that is no
//! request. `PROPTEST_RNG_SEED` replays a seed that a failure prints.

mod batches;
mod forge;
mod garbage;
mod topics;

use crate::access::Claims;
use crate::close::Close;
use crate::config::PolicyConfig;
use crate::gate::{Gate, Judgement, Policy, Verdict};
use crate::kafka::Code;
use crate::kafka::api_versions::Offer;
use crate::kafka::records::HeaderPolicy;
use forge::{NOW_MS, OWNED};

/// A page that may write to `events` and `other`, with the producer id that it was given.
struct Page {
    claims: Claims,
    policy: Policy,
    headers: HeaderPolicy,
    offer: Offer,
}

impl Page {
    fn new() -> Self {
        Self::with(&PolicyConfig::default())
    }

    fn with(config: &PolicyConfig) -> Self {
        let claims = Claims {
            subject: "alice".to_owned(),
            topics: vec!["events".to_owned(), "other".to_owned()],
            expires_ms: i64::MAX,
            bytes_per_s: None,
            records_per_s: None,
        };
        let policy = Policy::new(config, "bridge", 1 << 20, 1 << 20).expect("policy");
        let headers = policy.headers_for(&claims.subject);
        Self { claims, policy, headers, offer: forge::offer() }
    }

    fn judge(&self, frame: &[u8]) -> Judgement {
        let gate = Gate {
            claims: &self.claims,
            policy: &self.policy,
            headers: &self.headers,
            offer: &self.offer,
            owns: &|id| id == OWNED,
            now_ms: NOW_MS,
        };
        gate.judge(frame, 7)
    }
}

/// What a broker would get.
fn forwarded(judgement: Judgement) -> Vec<u8> {
    match judgement.verdict {
        Verdict::Forward(frame, Some(_)) => frame,
        other => panic!("not forwarded with an answer to come: {other:?}"),
    }
}

/// All of it was refused, with this code.
fn assert_refused(judgement: &Judgement, code: Code) {
    assert!(matches!(judgement.verdict, Verdict::Answer(_)), "{judgement:?}");
    assert_eq!(judgement.refused, [code], "{judgement:?}");
    assert_eq!(judgement.records, 0);
}

fn assert_closed(judgement: &Judgement) {
    assert!(matches!(judgement.verdict, Verdict::Close(Close::Protocol(_))), "{judgement:?}");
}
