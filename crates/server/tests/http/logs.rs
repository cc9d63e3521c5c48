//! The log: one line for each request, and no line with anything from a body.

use std::{
    cell::RefCell,
    io::{self, Write},
    sync::Once,
};

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::world::{World, b64, envelope};

thread_local! {
    /// What was logged on this thread: a test's own lines, since each test has a thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects what is logged, at every level. One subscriber for all tests, before the first line of
/// any: one that comes later may find log statements that were switched off for want of a reader.
pub(crate) fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| ThreadLog)
            .init();
    });
}

#[tokio::test]
async fn requests_leave_a_line_and_bodies_do_not() {
    let world = World::opted_in().await;
    LOG.take();
    let secret = "Jane Roe 555-0147";
    let prompt = json!({ "prompt": secret }).to_string();
    let World { gateway, owner, operator, .. } = &world;
    world.post("/v1/captures", gateway, envelope("chatcmpl-77", &prompt, None)).await.expect(200);
    world.get("/v1/accounts/acme/exchanges/chatcmpl-77", owner).await.expect(200);
    let broken = Body::from(format!("{{\"{secret}\": \"{secret}\""));
    world.send(Method::POST, "/v1/captures", Some(gateway), broken).await.refused(400, "invalid");
    world.get(&format!("/{}", secret.replace(' ', "%20")), operator).await.expect(404);

    let log = String::from_utf8(LOG.take()).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("oubliette_server")).collect();
    assert_eq!(lines.len(), 4, "{log}");
    let key_id = gateway.split('_').nth(1).unwrap();
    for part in ["method=\"POST\"", "route=\"/v1/captures\"", "status=200", "ms=", key_id] {
        assert!(lines[0].contains(part), "{part} is missing: {}", lines[0]);
    }
    let template = "route=\"/v1/accounts/{account}/exchanges/{exchange}\"";
    assert!(lines[1].contains(template), "{}", lines[1]);
    assert!(lines[3].contains("route=\"unknown\"") && lines[3].contains("status=404"));
    let encoded = b64(&prompt);
    let keys = [gateway, owner, operator].map(|key| key.rsplit('_').next().unwrap());
    for trace in ["Jane", "0147", "chatcmpl", &encoded[..12], keys[0], keys[1], keys[2]] {
        assert!(!log.contains(trace), "{trace} is in the log: {log}");
    }
}
