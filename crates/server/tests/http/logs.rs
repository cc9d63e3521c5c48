//! The log: one line for each request, and no line with anything from a body.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::world::{World, b64, envelope};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn requests_leave_a_line_and_bodies_do_not() {
    let world = World::opted_in().await;
    let log = Log::default();
    let subscriber = {
        let log = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish()
    };
    let guard = tracing::subscriber::set_default(subscriber);
    let secret = "Jane Roe 555-0147";
    let prompt = json!({ "prompt": secret }).to_string();
    let World { gateway, owner, operator, .. } = &world;
    world.post("/v1/captures", gateway, envelope("chatcmpl-77", &prompt, None)).await.expect(200);
    world.get("/v1/accounts/acme/exchanges/chatcmpl-77", owner).await.expect(200);
    let broken = Body::from(format!("{{\"{secret}\": \"{secret}\""));
    world.send(Method::POST, "/v1/captures", Some(gateway), broken).await.refused(400, "invalid");
    world.get(&format!("/{}", secret.replace(' ', "%20")), operator).await.expect(404);
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
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
