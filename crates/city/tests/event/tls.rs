//! Webhooks by https, against a real TLS server.

use std::sync::{Arc, Mutex};

use city::event::{self, DeliveryState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::common::Town;
use crate::{Node, eventually, hook, pay};

const CERTIFICATE: &[u8] = include_bytes!("data/localhost.crt.der");
const KEY: &[u8] = include_bytes!("data/localhost.key.der");

/// Answers every request with 200; what came in, and the port.
async fn server() -> (Arc<Mutex<String>>, u16) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::new(Mutex::new(String::new()));
    let into = seen.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(socket).await else { continue };
            let mut buffer = vec![0; 8192];
            let n = tls.read(&mut buffer).await.unwrap_or(0);
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = tls.shutdown().await;
        }
    });
    (seen, port)
}

#[tokio::test]
async fn a_trusted_certificate_is_needed_and_is_enough() {
    let town = Town::new().await;
    let node = Node::start(&town).await;
    let shop = town.shop("s-1").await;
    let (seen, port) = server().await;
    let (endpoint, _) = hook(&node.city, &shop, &format!("https://localhost:{port}/hook")).await;
    pay(&node.city, shop.id, 1, 100).await;
    let first = async || {
        let log = event::deliveries(&node.city, &shop, endpoint, None, None, 1).await.expect("a log");
        let event = log.first()?.event;
        Some(event::delivery(&node.city, &shop, endpoint, event).await.expect("there"))
    };
    eventually("a failure", || async { first().await.is_some_and(|(d, _)| d.tries == 1) }).await;
    let (_, tries) = first().await.expect("a delivery");
    let error = tries[0].error.clone().expect("a reason");
    assert!(error.starts_with("TLS: "), "{error}");
    assert_eq!(*seen.lock().unwrap(), "", "nothing is sent to who is not trusted");

    node.city.event.trust(vec![CERTIFICATE.to_vec()]);
    town.pass(6);
    eventually("delivered", || async {
        first().await.is_some_and(|(d, _)| d.state == DeliveryState::Delivered)
    })
    .await;
    let request = seen.lock().unwrap().clone();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: localhost:{port}\r\n")), "{request}");
    assert!(request.contains("webhook-signature: v1,"), "{request}");
    node.stop().await;
}
