//! Frames to requests, answers to frames. The encoding is that of the crate `kafka-protocol`, so
//! that klamm's own codec is checked by another.

use super::bounds;
use super::config::ApiVersions;
use super::fault::Api;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message};

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    pub(super) request: Request,
}

/// What the model understands.
#[derive(Debug)]
pub(super) enum Request {
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    FindCoordinator(FindCoordinatorRequest),
    ApiVersions(ApiVersionsRequest),
    /// A version of `ApiVersions` above what the node knows: the one request that is answered all
    /// the same.
    ApiVersionsTooNew,
    InitProducerId(InitProducerIdRequest),
}

impl Request {
    pub(super) fn api(&self) -> Api {
        match self {
            Self::Produce(_) => Api::Produce,
            Self::Fetch(_) => Api::Fetch,
            Self::ListOffsets(_) => Api::ListOffsets,
            Self::Metadata(_) => Api::Metadata,
            Self::FindCoordinator(_) => Api::FindCoordinator,
            Self::ApiVersions(_) | Self::ApiVersionsTooNew => Api::ApiVersions,
            Self::InitProducerId(_) => Api::InitProducerId,
        }
    }
}

impl Api {
    /// Kafka's number of the API.
    pub(super) fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Fetch => 1,
            Self::ListOffsets => 2,
            Self::Metadata => 3,
            Self::FindCoordinator => 10,
            Self::ApiVersions => 18,
            Self::InitProducerId => 22,
        }
    }

    pub(super) const ALL: [Self; 7] = [
        Self::Produce,
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::FindCoordinator,
        Self::ApiVersions,
        Self::InitProducerId,
    ];
}

impl ApiVersions {
    /// Lowest and highest version the node serves. What the codec lacks is not offered.
    pub(super) fn of(&self, api: Api) -> Option<(i16, i16)> {
        let (min, max) = match api {
            Api::Produce => self.produce,
            Api::Fetch => self.fetch,
            Api::ListOffsets => self.list_offsets,
            Api::Metadata => self.metadata,
            Api::FindCoordinator => self.find_coordinator?,
            Api::ApiVersions => self.api_versions,
            Api::InitProducerId => self.init_producer_id?,
        };
        let codec = match api {
            Api::Produce => ProduceRequest::VERSIONS,
            Api::Fetch => FetchRequest::VERSIONS,
            Api::ListOffsets => ListOffsetsRequest::VERSIONS,
            Api::Metadata => MetadataRequest::VERSIONS,
            Api::FindCoordinator => FindCoordinatorRequest::VERSIONS,
            Api::ApiVersions => ApiVersionsRequest::VERSIONS,
            Api::InitProducerId => InitProducerIdRequest::VERSIONS,
        };
        Some((min.max(codec.min), max.min(codec.max)))
    }
}

/// Decodes a frame without its size. `None`: a broker closes the connection.
pub(super) fn decode(mut frame: Bytes, versions: &ApiVersions) -> Option<Arrived> {
    let mut head = &frame[..];
    let (key, version) = (head.try_get_i16().ok()?, head.try_get_i16().ok()?);
    let correlation_id = head.try_get_i32().ok()?;
    let api = Api::ALL.into_iter().find(|api| api.key() == key)?;
    let (min, max) = versions.of(api)?;
    if api == Api::ApiVersions && version > max {
        return Some(Arrived { version, correlation_id, request: Request::ApiVersionsTooNew });
    }
    if !(min..=max).contains(&version) {
        return None;
    }
    let body = &mut frame;
    let request = match api {
        Api::Produce => Request::Produce(body_of(body, api, version)?),
        Api::Fetch => Request::Fetch(body_of(body, api, version)?),
        Api::ListOffsets => Request::ListOffsets(body_of(body, api, version)?),
        Api::Metadata => Request::Metadata(body_of(body, api, version)?),
        Api::FindCoordinator => Request::FindCoordinator(body_of(body, api, version)?),
        Api::ApiVersions => Request::ApiVersions(body_of(body, api, version)?),
        Api::InitProducerId => Request::InitProducerId(body_of(body, api, version)?),
    };
    Some(Arrived { version, correlation_id, request })
}

fn body_of<T: Decodable + HeaderVersion>(frame: &mut Bytes, api: Api, version: i16) -> Option<T> {
    RequestHeader::decode(frame, T::header_version(version)).ok()?;
    if !bounds::are_kept(api, version, frame) {
        return None;
    }
    T::decode(frame, version).ok()
}

/// An answer with its size and header. `None` if it cannot be encoded (a text of 32 KiB).
pub(super) fn encode<T: Encodable + HeaderVersion>(
    correlation_id: i32,
    version: i16,
    body: &T,
) -> Option<BytesMut> {
    let mut frame = BytesMut::with_capacity(16 + body.compute_size(version).ok()?);
    frame.put_i32(0);
    let header = ResponseHeader::default().with_correlation_id(correlation_id);
    header.encode(&mut frame, T::header_version(version)).ok()?;
    body.encode(&mut frame, version).ok()?;
    let size = i32::try_from(frame.len() - 4).ok()?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Some(frame)
}
