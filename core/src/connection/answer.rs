//! An answer of any kind: its decoders as one, so that the loop around them is in the flash once.

use super::Request;
use crate::wire::pass::Pass;
use crate::wire::reader::Reader;
use crate::wire::{Decode, api_versions, init_producer_id, metadata, produce};

/// The decoder of the answer being read.
#[derive(Clone, Copy, Debug)]
#[repr(u8)] // so that `START` is all zeros
pub(crate) enum Decoder {
    ApiVersions(api_versions::Decoder) = 0,
    Metadata(metadata::Decoder),
    InitProducerId(init_producer_id::Decoder),
    Produce(produce::Decoder),
}

/// What an element of it says.
pub(crate) enum Event<'b> {
    ApiVersions(api_versions::Event),
    Metadata(metadata::Event<'b>),
    InitProducerId(init_producer_id::Event),
    Produce(produce::Event<'b>),
}

impl Decoder {
    /// Of no answer yet.
    pub(super) const START: Self = Self::ApiVersions(api_versions::Decoder::new(0));

    /// The decoder of the answer to this request, if anybody wants to know what is in it.
    pub(super) const fn of(request: Request, version: i16) -> Option<Self> {
        Some(match request {
            Request::ApiVersions => Self::ApiVersions(api_versions::Decoder::new(version)),
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
        matches!(
            self,
            Self::ApiVersions(api_versions::Event::End)
                | Self::Metadata(metadata::Event::End)
                | Self::InitProducerId(init_producer_id::Event::End)
                | Self::Produce(produce::Event::End)
        )
    }
}

impl Decode for Decoder {
    type Event<'b> = Event<'b>;

    fn pass(&mut self) -> &mut Pass {
        match self {
            Self::ApiVersions(decoder) => decoder.pass(),
            Self::Metadata(decoder) => decoder.pass(),
            Self::InitProducerId(decoder) => decoder.pass(),
            Self::Produce(decoder) => decoder.pass(),
        }
    }

    fn flexible(&self) -> bool {
        match self {
            Self::ApiVersions(decoder) => decoder.flexible(),
            Self::Metadata(decoder) => decoder.flexible(),
            Self::InitProducerId(decoder) => decoder.flexible(),
            Self::Produce(decoder) => decoder.flexible(),
        }
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        match self {
            Self::ApiVersions(decoder) => decoder.element(r).map(Event::ApiVersions),
            Self::Metadata(decoder) => decoder.element(r).map(Event::Metadata),
            Self::InitProducerId(decoder) => decoder.element(r).map(Event::InitProducerId),
            Self::Produce(decoder) => decoder.element(r).map(Event::Produce),
        }
    }
}
