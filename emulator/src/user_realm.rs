//! `GET /common/userrealm/{upn}`: who signs this user in?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Response, StatusCode};
use serde_json::json;

use crate::call::Call;
use crate::directory::{Condition, domain_of};
use crate::service::Service;

/// The endpoint.
pub async fn answer(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    Extension(call): Extension<Arc<Call>>,
) -> Response<Body> {
    let domain = domain_of(&name);
    let tenant = service
        .directory
        .tenant(domain)
        .filter(|tenant| !tenant.personal);
    let federated = service
        .directory
        .user(&name)
        .is_some_and(|user| user.condition == Condition::Federated);
    let realm = match tenant {
        Some(_) if federated => json!({
            "ver": "1.0",
            "account_type": "Federated",
            "domain_name": domain,
            "federation_protocol": "WSTrust",
            "federation_metadata_url": format!("https://sts.{domain}/adfs/services/trust/mex"),
            "federation_active_auth_url": format!("https://sts.{domain}/adfs/services/trust/2005/usernamemixed"),
            "cloud_instance_name": "microsoftonline.com",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }),
        Some(_) => json!({
            "ver": "1.0",
            "account_type": "Managed",
            "domain_name": domain,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }),
        None => {
            json!({ "ver": "1.0", "account_type": "Unknown", "cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline" })
        }
    };
    call.json(StatusCode::OK, &realm)
}
