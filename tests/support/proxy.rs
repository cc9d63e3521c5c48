//! A proxy before a real S3 server that spoils, on a seed, what goes through it.
//!
//! The requests stay as they were signed, `Host` included, so the server behind it answers as ever.
//! A server in this process (`s3s-fs`) would be another implementation to trust, and 49 MB of
//! dependencies; this way it is the faults that are made up, and not the server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, Method, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use oubliette_store::testing::Dice;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// How many in a hundred requests meet what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    /// 500, 503 or 429 in place of an answer; the server is not asked.
    pub refuse: u8,
    /// The server does it, and the connection breaks before the answer.
    pub lose_reply: u8,
    /// One bit of the body is another on its way to the server.
    pub spoil_sent: u8,
    /// One bit of the body is another on its way back.
    pub spoil_received: u8,
    /// The answer comes late.
    pub delay: u8,
}

/// How late an answer comes that comes late.
const LATE: Duration = Duration::from_millis(700);

/// The largest body that goes through.
const LARGEST: usize = 64 << 20;

/// A running proxy; gone when dropped.
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    way: Arc<Way>,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Way {
    to: String,
    client: reqwest::Client,
    weather: Mutex<Weather>,
    dice: Dice,
    met: AtomicU64,
}

impl FaultyProxy {
    /// Starts one before the server at `to` (`http://127.0.0.1:3900`), with fair weather.
    pub fn start(to: impl Into<String>, seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let way = Arc::new(Way {
            to: to.into(),
            client,
            weather: Mutex::default(),
            dice: Dice::new(seed),
            met: AtomicU64::new(0),
        });
        let bound = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = bound.expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        runtime.spawn(serve(listener, Arc::clone(&way)));
        Self { address, way, runtime: Some(runtime) }
    }

    /// The URL to use in place of the server's.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the weather for the requests that come.
    pub fn set(&self, weather: Weather) {
        *self.way.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// How many requests have met something.
    pub fn met(&self) -> u64 {
        self.way.met.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(listener: TcpListener, way: Arc<Way>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&way)));
    }
}

async fn connection(stream: TcpStream, way: Arc<Way>) {
    let _ = stream.set_nodelay(true); // slower without
    let answer = service_fn(move |request| {
        let way = Arc::clone(&way);
        async move { way.through(request).await }
    });
    // An error here is a connection that was broken on purpose, or that the client has left.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Way {
    /// An error breaks the connection without an answer.
    async fn through(&self, request: Request<Incoming>) -> io::Result<Response<Body>> {
        let weather = *self.weather.lock().unwrap_or_else(PoisonError::into_inner);
        // All are drawn each time, so that one number does not shift the course of the others.
        let (refuse, lose, spoil_sent, spoil_received, delay) = (
            self.dice.percent(weather.refuse),
            self.dice.percent(weather.lose_reply),
            self.dice.percent(weather.spoil_sent),
            self.dice.percent(weather.spoil_received),
            self.dice.percent(weather.delay),
        );
        let at = self.dice.roll();
        if delay {
            tokio::time::sleep(LATE).await;
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), LARGEST).await.map_err(io::Error::other)?;
        if refuse {
            self.met.fetch_add(1, Ordering::SeqCst);
            let status = [500, 503, 429][usize::try_from(at % 3).expect("below 3")];
            let answer = Response::builder().status(status).body(Body::empty());
            return answer.map_err(io::Error::other);
        }
        let body = self.perhaps_spoilt(body.to_vec(), spoil_sent, at);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let reply = self
            .client
            .request(head.method.clone(), format!("{}{path}", self.to))
            .headers(head.headers)
            .body(body)
            .send()
            .await
            .map_err(io::Error::other)?;
        let mut answer = Response::builder().status(reply.status());
        for (name, value) in reply.headers() {
            // The length of an answer to HEAD is that of a body which does not come.
            let by_connection: [HeaderName; 2] = [header::CONNECTION, header::TRANSFER_ENCODING];
            let counted = *name == header::CONTENT_LENGTH && head.method != Method::HEAD;
            if !counted && !by_connection.contains(name) {
                answer = answer.header(name, value);
            }
        }
        let is_object = reply.status().is_success();
        let bytes = reply.bytes().await.map_err(io::Error::other)?.to_vec();
        if lose {
            self.met.fetch_add(1, Ordering::SeqCst);
            return Err(io::Error::other("the reply is lost"));
        }
        let bytes = self.perhaps_spoilt(bytes, spoil_received && is_object, at);
        answer.body(Body::from(bytes)).map_err(io::Error::other)
    }

    fn perhaps_spoilt(&self, mut bytes: Vec<u8>, happens: bool, at: u64) -> Vec<u8> {
        if happens && !bytes.is_empty() {
            self.met.fetch_add(1, Ordering::SeqCst);
            let at = usize::try_from(at % bytes.len() as u64).expect("below a length");
            bytes[at] ^= 0x10;
        }
        bytes
    }
}
