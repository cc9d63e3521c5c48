//! Through a socket: limits of time, callers that go away, a graceful end.

use std::{net::SocketAddr, time::Duration};

use oubliette_server::{ServerError, ServerOptions, serve};
use oubliette_service::Closed;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::world::{World, envelope};

struct Server {
    world: World,
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<Closed, ServerError>>,
}

impl Server {
    async fn start(options: ServerOptions) -> Self {
        let world = World::opted_in().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            let _ = stopped.await;
        };
        let running = tokio::spawn(serve(listener, world.oubliette.clone(), options, shutdown));
        Self { world, at, stop: Some(stop), running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    /// The head of a request with a body of this length.
    fn head(&self, method: &str, path: &str, key: &str, len: usize) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\ncontent-length: {len}\r\n\r\n"
        )
    }

    async fn post(&self, path: &str, key: &str, body: &str) -> String {
        let mut stream = self.connect().await;
        let head = self.head("POST", path, key, body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let reading = stream.read_to_end(&mut text);
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an answer");
    String::from_utf8(text).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_captures_and_a_graceful_end() {
    let mut server = Server::start(ServerOptions::default()).await;
    // Large enough to be parsed on another thread.
    let text = json!({"prompt": "word ".repeat(60_000)}).to_string();
    let large = envelope("ex-1", &text, None).to_string();
    let answer = server.post("/v1/captures", &server.world.gateway, &large).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains("cache-control: no-store"), "{answer}");
    assert!(
        answer.ends_with(r#""parts":{"request":{"outcome":"stored","findings":0}}}"#),
        "{answer}"
    );

    // Half a request is under way when the server is told to stop.
    let body = envelope("ex-2", "{}", None).to_string();
    let mut half = server.connect().await;
    let head = server.head("POST", "/v1/captures", &server.world.gateway, body.len());
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&body.as_bytes()[..20]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.stop().await;
    // No one else gets in …
    let refused = async {
        while TcpStream::connect(server.at).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    assert!(!server.running.is_finished());
    // … and it is finished all the same, before the service is closed.
    half.write_all(&body.as_bytes()[20..]).await.unwrap();
    let answer = read_all(&mut half).await;
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(answer.contains(r#""outcome":"stored""#), "{answer}");
    let closed = server.running.await.unwrap().unwrap();
    assert_eq!(closed, Closed { captures: 0, segments: 0 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_are_let_go() {
    let mut options = ServerOptions::default();
    options.read_timeout = Duration::from_millis(200);
    options.header_timeout = Duration::from_millis(200);
    options.shutdown_timeout = Duration::from_secs(2);
    let mut server = Server::start(options).await;
    // A body that does not come.
    let mut slow = server.connect().await;
    let head = server.head("POST", "/v1/captures", &server.world.gateway, 100);
    slow.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut slow).await;
    assert_eq!(status(&answer), "408", "{answer}");
    assert!(answer.contains(r#""code":"too_slow""#), "{answer}");
    // Headers that do not come.
    let mut slow = server.connect().await;
    slow.write_all(b"POST /v1/captures HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let answer = read_all(&mut slow).await;
    assert!(answer.is_empty() || status(&answer) == "408", "{answer}");
    // A body that is too large is not waited for.
    let mut large = server.connect().await;
    let head = server.head("POST", "/v1/captures", &server.world.gateway, 1 << 40);
    large.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut large).await;
    assert_eq!(status(&answer), "413", "{answer}");
    // A connection that says nothing does not hold up the end.
    let _silent = server.connect().await;
    server.stop().await;
    let ended = tokio::time::timeout(Duration::from_secs(20), server.running).await;
    let _ = ended.expect("the server ends").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_there_are_slots_wait() {
    let mut options = ServerOptions::default();
    options.max_connections = 1;
    let server = Server::start(options).await;
    let holding = server.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut waiting = server.connect().await;
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(300), waiting.read(&mut byte)).await;
    assert!(early.is_err(), "answered beside the connection that holds the slot");
    drop(holding);
    assert_eq!(status(&read_all(&mut waiting).await), "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redacting_again_goes_on_without_its_caller() {
    let server = Server::start(ServerOptions::default()).await;
    let World { gateway, owner, .. } = &server.world;
    for n in 0..20 {
        let envelope = envelope(&format!("ex-{n}"), r#"{"prompt":"Badge 771"}"#, None);
        server.world.post("/v1/captures", gateway, envelope).await.expect(200);
    }
    let rules = "pack = \"acme\"\ndescription = \"d\"\n[[rule]]\nid = \"acme.badge\"\n\
                 entity = \"BADGE\"\ncategory = \"pii\"\ndescription = \"d\"\n\
                 pattern = 'Badge [0-9]{3}'\nscore = 0.9\nexamples = [\"[[Badge 123]]\"]\n\
                 negative_examples = [\"Badge x\"]\n";
    let settings = json!({"custom_rules": rules});
    server.world.patch("/v1/accounts/acme/settings", owner, settings).await.expect(200);
    let mut caller = server.connect().await;
    let head = server.head("POST", "/v1/accounts/acme/reredact", owner, 2);
    caller.write_all(format!("{head}{{}}").as_bytes()).await.unwrap();
    // Gone as soon as the first bytes are there.
    let mut byte = [0];
    caller.read_exact(&mut byte).await.unwrap();
    drop(caller);
    let finished = async {
        loop {
            let path = "/v1/accounts/acme/captures";
            let listed: Value = server.world.get(path, owner).await.expect(200);
            let captures = listed["captures"].as_array().unwrap();
            if captures.iter().all(|capture| capture["findings"]["acme.badge"] == 1) {
                return captures.len();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), finished).await.expect("it goes on");
    assert_eq!(done, 20);
}
