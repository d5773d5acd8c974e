//! What a client is made from; two equal configurations share one client.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
};

use crate::error::{Error, Result};

/// Whose protocol is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon S3, and what is like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// Files at URLs, to read.
    Http,
}

/// When to try again, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// How often.
    pub most: usize,
    /// Not after this.
    pub timeout: Duration,
    /// First wait.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
    /// How much longer each wait is, in thousandths.
    pub growth_thousandths: u64,
}

/// A store, as the arguments it was made with. The environment adds to them, as the services' own
/// tools have it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Whose protocol.
    pub service: Service,
    /// Of [`Service::Http`], the address that keys are put after.
    pub url: String,
    /// The service's settings by their names.
    pub settings: Vec<(String, String)>,
    /// The HTTP client's settings by their names, None for its defaults.
    pub client: Option<Vec<(String, String)>>,
    /// Sent with each request.
    pub headers: Vec<(String, Vec<u8>)>,
    /// PEM of certificates to trust, too.
    pub certificates: Vec<u8>,
    /// None for the defaults.
    pub retry: Option<Retry>,
    /// What of the environment it may depend on; see [`Config::environment`].
    pub environment: Vec<(String, String)>,
}

impl Config {
    /// The variables that a client may look at, so that one made before a change is not used after.
    #[must_use]
    pub fn environment() -> Vec<(String, String)> {
        const PREFIXES: [&str; 4] = ["AWS_", "GOOGLE_", "AZURE_", "SERVICE_ACCOUNT"];
        let is_read = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let all = std::env::vars_os();
        let text = all.filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let mut read: Vec<_> = text.filter(|(name, _)| is_read(name)).collect();
        read.sort_unstable();
        read
    }

    /// Make a client. Nothing is asked of the service.
    ///
    /// # Errors
    /// A setting is unknown or has no such value; there are no certificates to trust.
    pub fn build(&self) -> Result<Arc<dyn ObjectStore>> {
        // Fails where it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match self.service {
            Service::S3 => self.s3(),
            Service::Gcs => self.gcs(),
            Service::Azure => self.azure(),
            Service::Http => self.http(),
        }
        .map_err(|error| Error::invalid(first_line(&error)))
    }

    pub(super) fn retries(&self) -> usize {
        self.retry.map_or(RetryConfig::default().max_retries, |retry| retry.most)
    }

    pub(super) fn pause(&self) -> Duration {
        self.retry.map_or(RetryConfig::default().backoff.init_backoff, |retry| retry.first)
    }

    fn s3(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = AmazonS3Builder::from_env();
        if self.has_client() {
            builder = builder.with_client_options(self.client()?);
        }
        builder = builder.with_retry(self.retry());
        for (key, value) in &self.settings {
            builder = builder.with_config(key.parse()?, value);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn gcs(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = GoogleCloudStorageBuilder::from_env();
        for (key, value) in &self.settings {
            builder = builder.with_config(key.parse()?, value);
        }
        if self.has_client() {
            builder = builder.with_client_options(self.client()?);
        }
        Ok(Arc::new(builder.with_retry(self.retry()).build()?))
    }

    fn azure(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = MicrosoftAzureBuilder::from_env();
        if self.has_client() {
            builder = builder.with_client_options(self.client()?);
        }
        builder = builder.with_retry(self.retry());
        for (key, value) in &self.settings {
            builder = builder.with_config(key.parse()?, value);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn http(&self) -> object_store::Result<Arc<dyn ObjectStore>> {
        let mut builder = HttpBuilder::new().with_url(&self.url).with_retry(self.retry());
        if self.has_client() {
            builder = builder.with_client_options(self.client()?);
        }
        Ok(Arc::new(builder.build()?))
    }

    fn has_client(&self) -> bool {
        self.client.is_some() || !self.headers.is_empty() || !self.certificates.is_empty()
    }

    fn client(&self) -> object_store::Result<ClientOptions> {
        let mut options = ClientOptions::new();
        for (key, value) in self.client.iter().flatten() {
            options = options.with_config(key.parse::<ClientConfigKey>()?, value);
        }
        if !self.headers.is_empty() {
            options = options.with_default_headers(self.header_map()?);
        }
        if !self.certificates.is_empty() {
            for certificate in Certificate::from_pem_bundle(&self.certificates)? {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    fn header_map(&self) -> object_store::Result<http::HeaderMap> {
        let refuse = |source: Box<dyn std::error::Error + Send + Sync>| {
            object_store::Error::Generic { store: "headers", source }
        };
        let mut map = http::HeaderMap::new();
        for (name, value) in &self.headers {
            let name = http::HeaderName::try_from(name).map_err(|e| refuse(Box::new(e)))?;
            let value = http::HeaderValue::from_bytes(value).map_err(|e| refuse(Box::new(e)))?;
            map.append(name, value);
        }
        Ok(map)
    }

    fn retry(&self) -> RetryConfig {
        let Some(retry) = self.retry else { return RetryConfig::default() };
        RetryConfig {
            backoff: BackoffConfig {
                init_backoff: retry.first,
                max_backoff: retry.longest,
                base: retry.growth_thousandths as f64 / 1000.0,
            },
            max_retries: retry.most,
            retry_timeout: retry.timeout,
        }
    }
}

/// What another crate says, on one line.
pub(super) fn first_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.trim().lines().next().unwrap_or_default().to_owned()
}
