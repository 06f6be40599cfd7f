//! The status page, metrics and probes over HTTP, for this machine only.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the status page; it fetches the status every second |
//! | `/api/v1/status` | the status as JSON |
//! | `/metrics` | OpenMetrics |
//! | `/healthz` | 200 while the bridge's loop answers |
//! | `/readyz` | 200 when every distributed region is ready, else 503 and which are not |
//!
//! Nothing can be changed over it. A request must name this machine as its host: a page of the
//! internet whose name resolves to 127.0.0.1 reads nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::metrics;
use super::status::{Command, Request};
use crate::error::BridgeError;
use crate::local::usage;

/// Clients served at a time; others wait.
const CLIENTS: usize = 16;
/// How long the bridge's loop may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(2);
const HEADERS: Duration = Duration::from_secs(5);

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// What every request needs.
#[derive(Debug)]
struct Site {
    home: PathBuf,
    requests: mpsc::Sender<Request>,
}

/// The bound listener and its tasks; dropping it ends them.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Http {
    /// Binds the address and serves it.
    pub(super) async fn start(
        address: SocketAddr,
        home: PathBuf,
        requests: mpsc::Sender<Request>,
    ) -> Result<Self, BridgeError> {
        let failed = |source| BridgeError::Http { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::new(Site { home, requests })));
        Ok(Self { address, _tasks: tasks })
    }
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: others must free some first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let site = site.clone();
        clients.spawn(async move {
            let answer = |request| {
                let site = site.clone();
                async move { Ok::<_, Infallible>(answer(&site, request).await) }
            };
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS)
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            // A client that breaks off is nobody's problem.
            let _ = served.await;
            drop(place);
        });
        while clients.try_join_next().is_some() {}
    }
}

async fn answer(site: &Site, request: HttpRequest<Incoming>) -> Response<Full<Bytes>> {
    let text = "text/plain; charset=utf-8";
    if !names_this_machine(request.headers().get(header::HOST)) {
        let body = "ask for 127.0.0.1, [::1] or localhost\n";
        return response(StatusCode::MISDIRECTED_REQUEST, text, body);
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return response(StatusCode::METHOD_NOT_ALLOWED, text, "nothing can be changed here\n");
    }
    match request.uri().path() {
        "/" => response(StatusCode::OK, "text/html; charset=utf-8", PAGE),
        "/style.css" => response(StatusCode::OK, "text/css; charset=utf-8", STYLE),
        "/script.js" => response(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
        "/api/v1/status" => match status(site).await {
            Some(status) => response(StatusCode::OK, "application/json", format!("{status}\n")),
            None => stuck(),
        },
        "/metrics" => match status(site).await {
            Some(status) => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                response(StatusCode::OK, kind, metrics_of(site, status).await)
            }
            None => stuck(),
        },
        "/healthz" => match status(site).await {
            Some(_) => response(StatusCode::OK, text, "ok\n"),
            None => stuck(),
        },
        "/readyz" => match status(site).await {
            Some(status) => readiness(&status),
            None => stuck(),
        },
        _ => response(StatusCode::NOT_FOUND, text, "there is nothing here\n"),
    }
}

async fn status(site: &Site) -> Option<Value> {
    let (answer, answered) = oneshot::channel();
    let asked = async {
        site.requests.send(Request { command: Command::Status, answer }).await.ok()?;
        answered.await.ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

async fn metrics_of(site: &Site, status: Value) -> String {
    let home = site.home.clone();
    // Looking into the files may take a while, and must not hold up the bridge.
    let rendered =
        tokio::task::spawn_blocking(move || metrics::render(&status, &usage(&home))).await;
    rendered.unwrap_or_default()
}

fn readiness(status: &Value) -> Response<Full<Bytes>> {
    let text = "text/plain; charset=utf-8";
    let regions = status["regions"].as_array().map_or(&[][..], Vec::as_slice);
    let waiting: Vec<String> = regions
        .iter()
        .filter(|r| !matches!(r["state"].as_str(), Some("ready" | "degraded")))
        .map(|r| format!("{}: {}\n", r["name"].as_str().unwrap_or(""), r["state"]))
        .collect();
    if waiting.is_empty() {
        return response(StatusCode::OK, text, "ready\n");
    }
    response(StatusCode::SERVICE_UNAVAILABLE, text, waiting.concat())
}

fn stuck() -> Response<Full<Bytes>> {
    let body = "the bridge does not answer\n";
    response(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", body)
}

fn response(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// Without its port the host must be a loopback address or `localhost`.
fn names_this_machine(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|host| host.to_str().ok()) else {
        return false;
    };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
    });
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for good in ["localhost", "localhost:7480", "127.0.0.1:7480", "127.0.0.1", "[::1]:80"] {
            assert!(names_this_machine(HeaderValue::from_str(good).ok().as_ref()), "{good}");
        }
        for bad in ["", "example.org", "example.org:7480", "192.0.2.1:80", "localhost.evil"] {
            assert!(!names_this_machine(HeaderValue::from_str(bad).ok().as_ref()), "{bad}");
        }
        assert!(!names_this_machine(None));
    }

    #[test]
    fn readiness_names_what_is_not_ready() {
        let status = serde_json::json!({ "regions": [
            { "name": "a", "state": "ready" }, { "name": "b", "state": "initialising" },
        ]});
        assert_eq!(readiness(&status).status(), StatusCode::SERVICE_UNAVAILABLE);
        let none = serde_json::json!({ "regions": [] });
        assert_eq!(readiness(&none).status(), StatusCode::OK);
    }
}
