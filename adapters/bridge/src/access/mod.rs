//! Who may do what: origins, tokens, names of topics, producer ids.

pub(crate) mod crypto;
pub(crate) mod keys;
pub(crate) mod origin;
pub(crate) mod producers;
pub(crate) mod token;
pub(crate) mod topic;

pub(crate) use keys::Keys;
pub(crate) use origin::Origins;
pub(crate) use producers::Producers;
pub(crate) use token::Claims;
