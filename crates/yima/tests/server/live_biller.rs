//! The guide to billers that are asked, word for word: its pack, a counterpart, a door, a payment.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::process::{Answer, Server, request, yima};

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/live-biller.toml");

/// The other side, until dropped.
struct Counterpart(Child, String);

impl Drop for Counterpart {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn counterpart(dir: &std::path::Path, faults: &[&str]) -> Counterpart {
    fs::write(dir.join("bills.csv"), "3302005198,W-1,4200,2099-12-25\n3302005198,W-2,100,2099-12-25\n")
        .unwrap();
    fs::write(dir.join("water.key"), "a shared key\n").unwrap();
    let mut command = yima();
    command.args([
        "counterpart",
        "biller",
        GUIDE,
        "--listen",
        "127.0.0.1:0",
        "--bills",
        "bills.csv",
        "--secret",
        "water=water.key",
    ]);
    for fault in faults {
        command.args(["--fault", fault]);
    }
    let mut child = command.current_dir(dir).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("1 accounts, 2 bills"), "{line}");
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    Counterpart(child, url.trim_end_matches(':').to_owned())
}

fn ask(server: &Server, method: &str, path: &str, token: &str, body: &Value) -> Answer {
    let head = format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    request(server.addr, method, path, &head, &body)
}

#[test]
fn the_guide_leads_to_a_biller_that_is_paid() {
    let dir = tempfile::tempdir().unwrap();
    let other = counterpart(dir.path(), &["pay:account_unknown=0"]);
    let config = dir.path().join("yima.toml");
    let door = format!(
        "[door.\"hz-water-live/main\"]\nurl = \"{}\"\nsecrets = {{ water = \"water.key\" }}\n",
        other.1
    );
    fs::write(&config, door).unwrap();
    let mut server = Server::start(&["--config", config.to_str().unwrap()]);
    let operator = server.operator.clone();
    let head = format!("authorization: Bearer {operator}\r\n");
    let added = request(server.addr, "POST", "/v1/billers", &head, &fs::read_to_string(GUIDE).unwrap());
    let biller = added.json()["id"].as_str().expect("a biller").to_owned();

    let phone = "13800000001";
    assert_eq!(ask(&server, "POST", "/v1/sign-in/code", "", &json!({"phone": phone})).status, 202);
    let messages = fs::read_to_string(server.data().join("messages")).unwrap();
    let message: Value = serde_json::from_str(messages.lines().last().unwrap()).unwrap();
    let wish = json!({"phone": phone, "code": message["code"], "name": "居民"});
    let signed = ask(&server, "POST", "/v1/sign-in", "", &wish).json();
    let (resident, token) = (&signed["resident"]["id"], signed["token"].as_str().unwrap().to_owned());
    let amount = json!({"minor": 10_000, "currency": "CNY"});
    let deposit = json!({"resident": resident, "amount": amount, "reference": "B-1"});
    assert_eq!(ask(&server, "POST", "/v1/deposits", &operator, &deposit).status, 200);

    let owed = format!("/v1/billers/{biller}/bills?account_no=3302005198");
    let bills = ask(&server, "GET", &owed, &token, &Value::Null).json();
    let bill = bills["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["bill_no"] == "W-1")
        .expect("the bill")
        .clone();
    let id = bill["id"].as_str().unwrap();
    let quote = ask(&server, "POST", &format!("/v1/bills/{id}/quote"), &token, &Value::Null).json();
    let paid = ask(&server, "POST", &format!("/v1/bills/{id}/pay"), &token, &json!({"quote": quote["id"]}));
    assert_eq!((paid.status, paid.json()["state"].as_str()), (200, Some("settled")), "{}", paid.body);
    let ways = ask(&server, "GET", "/v1/operator/ways", &operator, &Value::Null).json();
    assert_eq!((&ways["items"][0]["channel"], &ways["items"][0]["gate"]), (&json!("main"), &json!("closed")));
    let metrics = ask(&server, "GET", "/metrics", "", &Value::Null).body;
    assert!(metrics.contains(r#"yima_biller_way_open{channel="main",pack="hz-water-live"} 1"#), "{metrics}");

    // The other side is gone: said at once, and nothing is held.
    drop(other);
    let refused = ask(&server, "GET", &owed, &token, &Value::Null);
    assert_eq!((refused.status, refused.code().as_str()), (503, "biller_unreachable"), "{}", refused.body);
    let wallet = ask(&server, "GET", "/v1/wallet", &token, &Value::Null).body;
    assert!(wallet.contains("\"minor\":5800,"), "{wallet}");
    server.stop();
}
