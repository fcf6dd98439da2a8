//! Options of object stores: which store takes which.

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

use super::read::parse_duration;
use crate::hint::nearest;

/// What a mistyped option may have meant: those that most lakes need.
const OPTIONS: [&str; 32] = [
    "aws_access_key_id",
    "aws_allow_http",
    "aws_endpoint",
    "aws_region",
    "aws_role_arn",
    "aws_secret_access_key",
    "aws_session_token",
    "aws_skip_signature",
    "aws_virtual_hosted_style_request",
    "azure_allow_http",
    "azure_authority_host",
    "azure_client_id",
    "azure_client_secret",
    "azure_endpoint",
    "azure_federated_token_file",
    "azure_storage_account_key",
    "azure_storage_account_name",
    "azure_storage_client_id",
    "azure_storage_client_secret",
    "azure_storage_endpoint",
    "azure_storage_sas_key",
    "azure_storage_tenant_id",
    "azure_storage_use_emulator",
    "azure_tenant_id",
    "azure_use_azure_cli",
    "connect_timeout",
    "google_application_credentials",
    "google_service_account",
    "google_service_account_key",
    "max_retries",
    "retry_timeout",
    "timeout",
];

/// Options of ours beside those of the stores' clients: how often, and for how long, a request is repeated.
pub(crate) const RETRY_OPTIONS: [&str; 2] = ["max_retries", "retry_timeout"];

/// Tells whether a store of that scheme takes an option; beside a folder stand those of the store that is published to.
pub(crate) fn store_takes(scheme: &str, key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_s3 = || key.parse::<AmazonS3ConfigKey>().is_ok();
    let is_gs = || key.parse::<GoogleConfigKey>().is_ok();
    let is_azure = || key.parse::<AzureConfigKey>().is_ok();
    RETRY_OPTIONS.contains(&key.as_str())
        || match scheme {
            "s3" | "s3a" => is_s3(),
            "gs" => is_gs(),
            "file" => is_s3() || is_gs() || is_azure(),
            _ => is_azure(),
        }
}

/// Returns the option of a store of that scheme that a mistyped one is nearest to.
pub(super) fn nearest_option(scheme: &str, key: &str) -> Option<&'static str> {
    nearest(key, OPTIONS.into_iter().filter(|option| store_takes(scheme, option)))
}

/// Spans of time, by their names without the store's before them.
const SPANS: [&str; 5] = [
    "connect_timeout",
    "http2_keep_alive_interval",
    "http2_keep_alive_timeout",
    "pool_idle_timeout",
    "timeout",
];

/// Returns what the value of an option has to be where it is something else; other options are judged by the stores' clients.
pub(super) fn wanted_value(key: &str, value: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    let bare = ["aws_", "azure_", "google_"].iter().find_map(|store| key.strip_prefix(store));
    let (is_right, wanted) = match bare.unwrap_or(&key) {
        "max_retries" => (value.parse::<usize>().is_ok(), "a number"),
        "retry_timeout" => (parse_duration(value).is_some(), "a span of time such as `3m`"),
        span if SPANS.contains(&span) => {
            (humantime::parse_duration(value).is_ok(), "a span of time such as `30s`")
        }
        _ => return None,
    };
    (!is_right).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_by_a_mistyped_option_is_one_of_a_store() {
        for option in OPTIONS {
            assert!(store_takes("file", option), "{option}");
        }
    }
}
