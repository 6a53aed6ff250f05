//! The small requests: `ApiVersions`, `InitProducerId`, `FindCoordinator`.

use super::dispatch::{Context, Outcome};
use super::fault::Api;
use super::state::Cluster;
use super::{code, wire};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, BrokerId, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, ProducerId,
};
use kafka_protocol::protocol::StrBytes;

impl Cluster {
    pub(super) fn api_versions(&self, context: Context, request: &ApiVersionsRequest) -> Outcome {
        let mut response =
            ApiVersionsResponse::default().with_throttle_time_ms(context.throttle_ms);
        let named = is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version);
        if let Some(code) = context.error {
            response.error_code = code;
        } else if context.version >= 3 && !named {
            response.error_code = code::INVALID_REQUEST;
        } else if let Some(node) = self.nodes.get(&context.node) {
            response.api_keys = Api::ALL
                .into_iter()
                .filter_map(|api| Some((api, node.versions.of(api)?)))
                .map(|(api, (min, max))| {
                    let min = if api == Api::Produce {
                        node.versions.produce_advertised_min
                    } else {
                        min
                    };
                    api_version(api, min, max)
                })
                .collect();
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }

    /// Answered in version 0, so that any client can read it (KIP-511).
    pub(super) fn api_versions_too_new(&self, context: Context) -> Outcome {
        let mut response =
            ApiVersionsResponse::default().with_error_code(code::UNSUPPORTED_VERSION);
        if let Some(node) = self.nodes.get(&context.node).filter(|n| !n.versions.empty_fallback) {
            let (min, max) = node.versions.api_versions;
            response.api_keys.push(api_version(Api::ApiVersions, min, max));
        }
        Outcome::answer(wire::encode(context.correlation_id, 0, &response), 0)
    }

    pub(super) fn init_producer_id(
        &mut self,
        context: Context,
        request: &InitProducerIdRequest,
    ) -> Outcome {
        let mut response = InitProducerIdResponse::default()
            .with_throttle_time_ms(context.throttle_ms)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let id_and_epoch = (request.producer_id.0 >= 0, request.producer_epoch >= 0);
        let nameless = request.transactional_id.as_ref().is_some_and(|id| id.is_empty());
        let ready_at = self.nodes.get(&context.node).map_or(0, |node| node.ready_at);
        response.error_code = if let Some(code) = context.error {
            code
        } else if id_and_epoch.0 != id_and_epoch.1 || nameless {
            code::INVALID_REQUEST
        } else if request.transactional_id.is_some() {
            // The model has no transaction coordinator.
            code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        } else if context.now < ready_at {
            code::COORDINATOR_LOAD_IN_PROGRESS
        } else {
            response.producer_id = ProducerId(self.next_producer_id);
            response.producer_epoch = 0;
            self.next_producer_id += 1;
            code::NONE
        };
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }

    /// The first node that is up coordinates everything.
    pub(super) fn find_coordinator(
        &self,
        context: Context,
        request: &FindCoordinatorRequest,
    ) -> Outcome {
        let mut response =
            FindCoordinatorResponse::default().with_throttle_time_ms(context.throttle_ms);
        let node = self.nodes.iter().find(|(_, node)| node.up);
        let (id, host, port) = node.map_or((-1, String::new(), -1), |(id, node)| {
            (*id, node.host.clone(), i32::from(node.port))
        });
        let host = StrBytes::from_string(host);
        let error = context.error.unwrap_or(code::NONE);
        if context.version >= 4 {
            let coordinator = |key: &StrBytes| {
                Coordinator::default()
                    .with_key(key.clone())
                    .with_node_id(BrokerId(id))
                    .with_host(host.clone())
                    .with_port(port)
                    .with_error_code(error)
            };
            response.coordinators = request.coordinator_keys.iter().map(coordinator).collect();
        } else {
            response = response
                .with_node_id(BrokerId(id))
                .with_host(host)
                .with_port(port)
                .with_error_code(error);
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }
}

fn api_version(api: Api, min: i16, max: i16) -> ApiVersion {
    ApiVersion::default().with_api_key(api.key()).with_min_version(min).with_max_version(max)
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`
fn is_software_name(text: &str) -> bool {
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends_well(text.chars().next())
        && ends_well(text.chars().next_back())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
}
