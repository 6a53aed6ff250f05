//! An answer of any kind: its decoders as one, so that the loop around them is in the flash once.

use super::Request;
#[cfg(any(feature = "api-versions", test))]
use crate::wire::api_versions;
use crate::wire::pass::Pass;
use crate::wire::reader::Reader;
use crate::wire::{Decode, init_producer_id, metadata, produce};

/// The decoder of the answer being read.
#[derive(Clone, Copy, Debug)]
#[repr(u8)] // so that `START` is all zeros
pub(crate) enum Decoder {
    Metadata(metadata::Decoder) = 0,
    InitProducerId(init_producer_id::Decoder),
    Produce(produce::Decoder),
    #[cfg(any(feature = "api-versions", test))]
    ApiVersions(api_versions::Decoder),
}

/// What an element of it says.
pub(crate) enum Event<'b> {
    Metadata(metadata::Event<'b>),
    InitProducerId(init_producer_id::Event),
    Produce(produce::Event<'b>),
    #[cfg(any(feature = "api-versions", test))]
    ApiVersions(api_versions::Event),
}

impl Decoder {
    /// Of no answer yet.
    pub(super) const START: Self = Self::Metadata(metadata::Decoder::new(0));

    /// The decoder of the answer to this request, if anybody wants to know what is in it.
    pub(super) const fn of(request: Request, version: i16) -> Option<Self> {
        Some(match request {
            #[cfg(any(feature = "api-versions", test))]
            Request::ApiVersions => Self::ApiVersions(api_versions::Decoder::new(version)),
            #[cfg(not(any(feature = "api-versions", test)))]
            Request::ApiVersions => return None,
            Request::Metadata => Self::Metadata(metadata::Decoder::new(version)),
            Request::InitProducerId => {
                Self::InitProducerId(init_producer_id::Decoder::new(version))
            }
            Request::Produce => Self::Produce(produce::Decoder::new(version)),
            Request::Unacknowledged => return None,
        })
    }
}

impl Event<'_> {
    /// Is it the last one?
    pub(super) const fn is_end(&self) -> bool {
        match self {
            Self::Metadata(event) => matches!(event, metadata::Event::End),
            Self::InitProducerId(event) => matches!(event, init_producer_id::Event::End),
            Self::Produce(event) => matches!(event, produce::Event::End),
            #[cfg(any(feature = "api-versions", test))]
            Self::ApiVersions(event) => matches!(event, api_versions::Event::End),
        }
    }
}

impl Decode for Decoder {
    type Event<'b> = Event<'b>;

    fn pass(&mut self) -> &mut Pass {
        match self {
            Self::Metadata(decoder) => decoder.pass(),
            Self::InitProducerId(decoder) => decoder.pass(),
            Self::Produce(decoder) => decoder.pass(),
            #[cfg(any(feature = "api-versions", test))]
            Self::ApiVersions(decoder) => decoder.pass(),
        }
    }

    fn flexible(&self) -> bool {
        match self {
            Self::Metadata(decoder) => decoder.flexible(),
            Self::InitProducerId(decoder) => decoder.flexible(),
            Self::Produce(decoder) => decoder.flexible(),
            #[cfg(any(feature = "api-versions", test))]
            Self::ApiVersions(decoder) => decoder.flexible(),
        }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        match self {
            Self::Metadata(decoder) => decoder.element(r).map(Event::Metadata),
            Self::InitProducerId(decoder) => decoder.element(r).map(Event::InitProducerId),
            Self::Produce(decoder) => decoder.element(r).map(Event::Produce),
            #[cfg(any(feature = "api-versions", test))]
            Self::ApiVersions(decoder) => decoder.element(r).map(Event::ApiVersions),
        }
    }
}
