//! The binary as its users start it: the server's habits, the commands, stopping and starting again.

mod live_biller;
mod process;

use std::process::Command;

use process::{Server, request, yima};

#[test]
fn the_tour_ends_with_books_that_agree() {
    let out = yima().arg("tour").output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert!(text.ends_with("every book agrees\n"), "{text}");
}

#[test]
fn every_request_is_answered_with_a_stable_code() {
    let server = Server::start(&[]);
    let long = "x".repeat(300_000);
    let json = "content-type: application/json\r\n";
    for (method, path, head, body, status, code) in [
        ("GET", "/v1/nothing", "", "", 404, "not_found"),
        ("DELETE", "/v1/wallet", "", "", 405, "method_not_allowed"),
        ("GET", "/v1/wallet", "", "", 401, "unauthenticated"),
        ("GET", "/v1/wallet", "authorization: Bearer yrs_x\r\n", "", 401, "unauthenticated"),
        ("GET", "/v1/wallet", "authorization: Basic eA==\r\n", "", 401, "unauthenticated"),
        ("POST", "/v1/sign-in/code", json, "{", 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", json, r#"{"phone":1}"#, 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", json, r#"{"phone":"13800000000","x":1}"#, 400, "malformed_body"),
        ("POST", "/v1/sign-in/code", "", r#"{"phone":"13800000000"}"#, 415, "not_json"),
        ("POST", "/v1/sign-in/code", json, &long, 413, "body_too_large"),
        ("POST", "/v1/sign-in/code", json, r#"{"phone":"12"}"#, 422, "phone_malformed"),
        ("GET", "/v1/billers?nonsense=1", "", "", 400, "malformed_query"),
        ("GET", "/v1/billers/blr_1", "", "", 400, "malformed_id"),
    ] {
        let answer = request(server.addr, method, path, head, body);
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{method} {path}: {}",
            answer.body
        );
        let head = answer.head.to_lowercase();
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        assert!(head.contains("x-request-id: "), "{head}");
    }
}

#[test]
fn pages_health_and_metrics() {
    let server = Server::start(&[]);
    for (path, part) in [
        ("/", "一码"),
        ("/docs", "Yima API"),
        ("/docs.js", "openapi.json"),
        ("/docs.css", "color-scheme"),
        ("/openapi.json", "\"openapi\":\"3.1.0\""),
        ("/healthz", r#"{"status":"ok","writes":"ok"}"#),
        ("/metrics", "yima_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1"),
    ] {
        let answer = request(server.addr, "GET", path, "", "");
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(part), "{path}: {}", answer.body);
    }
    let own = request(server.addr, "GET", "/healthz", "x-request-id: 0123456789abcdef-1\r\n", "");
    assert!(own.head.contains("x-request-id: 0123456789abcdef-1"), "{}", own.head);
    let phone = request(server.addr, "GET", "/healthz", "x-request-id: 13800000000\r\n", "");
    assert!(!phone.head.contains("13800000000"), "what may be a phone number is not taken over");
}

/// Whether the binary has its front ends or only a page that says it has none.
#[test]
fn every_answer_says_what_may_be_done_with_it() {
    let server = Server::start(&[]);
    for path in ["/", "/till/", "/console/", "/docs"] {
        let answer = request(server.addr, "GET", path, "", "");
        assert_eq!(answer.status, 200, "{path}");
        for wanted in [
            "content-type: text/html; charset=utf-8",
            "content-security-policy: default-src 'none'; ",
            "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-frame-options: DENY",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "permissions-policy: camera=(self), ",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-cache",
        ] {
            assert!(answer.head.contains(wanted), "{path}: {wanted} is not in {}", answer.head);
        }
        for inline in ["<style", "<script>", " style=", " onclick="] {
            assert!(!answer.body.contains(inline), "{path}: the policy forbids {inline}");
        }
        let head = request(server.addr, "HEAD", path, "", "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
    for path in ["/till", "/console"] {
        let answer = request(server.addr, "GET", path, "", "");
        assert!(
            answer.status == 308 && answer.head.contains(&format!("location: {path}/")),
            "{}",
            answer.head
        );
    }
    for path in ["/v1/billers", "/v1/me", "/v1/nothing"] {
        let answer = request(server.addr, "GET", path, "", "");
        assert!(answer.head.contains("cache-control: no-store"), "{path}: {}", answer.head);
        assert!(answer.head.contains("x-content-type-options: nosniff"), "{path}: {}", answer.head);
        let policy = "cross-origin-resource-policy: same-origin";
        assert!(answer.head.contains(policy), "{path}: {}", answer.head);
    }
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let server = Server::start(&["--rate-limit", "1"]);
    let codes: Vec<u16> = (0..5).map(|_| request(server.addr, "GET", "/healthz", "", "").status).collect();
    assert_eq!(codes[..2], [200, 200]);
    assert!(codes.contains(&429), "{codes:?}");
    for n in 0..3 {
        let made_up = format!("authorization: Bearer ymk_{n}\r\n");
        let answer = request(server.addr, "GET", "/v1/merchants/me", &made_up, "");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (429, "rate_limited"),
            "a made-up key has no bucket"
        );
    }
}

/// A browser that is signed in has a limit of its own, as a program with a key has.
#[test]
fn a_browsers_session_has_a_limit_of_its_own() {
    let server = Server::start(&["--rate-limit", "1"]);
    let body = serde_json::json!({"as": "operator", "key": server.operator}).to_string();
    let opened = request(server.addr, "POST", "/v1/session", "content-type: application/json\r\n", &body);
    assert_eq!(opened.status, 200, "{}", opened.body);
    let set = opened.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = format!("cookie: a=b; {}\r\n", set.split(';').next().unwrap());
    let mut asked = (0..50).map(|_| request(server.addr, "GET", "/healthz", "", "").status);
    assert!(asked.any(|status| status == 429), "the address has asked too often");
    let own = request(server.addr, "GET", "/v1/session?as=operator", &cookie, "");
    assert_eq!(own.status, 200, "{}", own.body);
    let made_up = "cookie: __Host-yima-operator=yos_x\r\n";
    let mut asked =
        (0..50).map(|_| request(server.addr, "GET", "/v1/session?as=operator", made_up, "").status);
    assert!(asked.any(|status| status == 429), "a made-up cookie has no bucket");
}

#[test]
fn a_city_has_one_server_and_keeps_what_it_knew() {
    let mut server = Server::start(&[]);
    let operator = server.operator.clone();
    let json = format!("content-type: application/json\r\nauthorization: Bearer {operator}\r\n");
    let body = r#"{"phone":"13800000000","name":"王小明"}"#;
    let born = request(server.addr, "POST", "/v1/residents", &json, body);
    assert_eq!(born.status, 200, "{}", born.body);
    let resident = born.json()["id"].as_str().unwrap().to_owned();

    let second = server.command("serve").args(["--addr", "127.0.0.1:0"]).output().unwrap();
    assert!(!second.status.success());
    let why = String::from_utf8_lossy(&second.stderr).to_string();
    assert!(why.contains("another process") || why.contains("lock") || why.contains("open"), "{why}");

    let deposit = format!(
        r#"{{"resident":"{resident}","amount":{{"minor":5000,"currency":"CNY"}},"reference":"B-1"}}"#
    );
    assert_eq!(request(server.addr, "POST", "/v1/deposits", &json, &deposit).status, 200);
    server.stop();
    server.restart();
    let again = request(server.addr, "POST", "/v1/deposits", &json, &deposit);
    assert!(again.body.contains("\"repeated\":true"), "{}", again.body);
    server.stop();

    let verify = server.command("ledger").arg("verify").output().unwrap();
    let text = String::from_utf8_lossy(&verify.stdout).to_string();
    assert!(verify.status.success() && text.contains("debits = credits = 5000"), "{text}");
    let json = server.command("ledger").args(["verify", "--json"]).output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found["ledgers"]["156"]["posted"], "5000");
}

/// The chart of accounts must give names that the real programs take.
#[test]
fn other_programs_accept_the_books() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("city");
    assert!(yima().arg("tour").arg("--data").arg(&data).output().unwrap().status.success());
    for (format, program, args) in
        [("hledger", "hledger", ["-f", "books", "check"].as_slice()), ("beancount", "bean-check", &["books"])]
    {
        let books = dir.path().join("books");
        let mut export = yima();
        export.args(["ledger", "export", "--format", format, "--data"]).arg(&data).arg("--out").arg(&books);
        assert!(export.output().unwrap().status.success());
        match Command::new(program).args(args).current_dir(dir.path()).output() {
            Ok(out) => assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr)),
            Err(_) if !process::tools_required() => println!("skipped: {program} not installed"),
            Err(e) => panic!("{program}: {e}"),
        }
    }
}

#[test]
fn the_demo_city_is_born_once() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let mut demo = Server::start_demo(dir.path());
            let billers = request(demo.addr, "GET", "/v1/billers", "", "");
            assert_eq!(billers.json()["items"].as_array().unwrap().len(), 60);
            demo.stop();
            std::fs::read_to_string(dir.path().join("demo.json")).unwrap()
        })
        .collect();
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn without_the_device_key_a_city_with_phones_does_not_start() {
    let server = Server::start(&[]);
    let json = "content-type: application/json\r\n";
    let phone = r#"{"phone":"13800000000"}"#;
    assert_eq!(request(server.addr, "POST", "/v1/sign-in/code", json, phone).status, 202);
    let message: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(server.data().join("messages")).unwrap()).unwrap();
    let sign_in = serde_json::json!({"phone": "13800000000", "code": message["code"]}).to_string();
    let signed = request(server.addr, "POST", "/v1/sign-in", json, &sign_in);
    let head = format!("{json}authorization: Bearer {}\r\n", signed.json()["token"].as_str().unwrap());
    assert_eq!(request(server.addr, "POST", "/v1/me/devices", &head, r#"{"name":"phone"}"#).status, 201);

    let server = server.stopped();
    let key = server.data().join("keys/device.key");
    std::fs::remove_file(&key).unwrap();
    let out = server.command("serve").args(["--addr", "127.0.0.1:0"]).output().unwrap();
    let why = String::from_utf8_lossy(&out.stderr).to_string();
    assert!(!out.status.success() && why.contains("device.key is missing"), "{why}");
    assert!(!key.exists(), "no other key takes its place");
}

#[test]
fn a_bill_file_is_imported_from_the_command_line() {
    let server = Server::start(&[]);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packs/330100/samples/hz-power-202602.txt");
    let busy = server.command("import").args(["hz-power", file]).output().unwrap();
    assert!(!busy.status.success(), "the server holds the ledger");
    let server = server.stopped();
    for (biller, wanted) in [
        ("hz-power", "42 added, 0 known already, 0 refused"),
        ("hz-power", "42 added, 0 known already, 0 refused"), // the same import, told again
        ("nobody", "nobody: no such biller"),
    ] {
        let out = server.command("import").args([biller, file]).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn a_wrong_setting_is_named() {
    for (args, part) in [
        (["serve", "--ledger", "tape:1"], "embedded:DIR"),
        (["serve", "--database", "mysql://x"], "sqlite:"),
        (["serve", "--sender", "pigeon"], "console or file"),
        (["serve", "--config", "/nonexistent.toml"], "nonexistent.toml"),
        (["ledger", "verify", "--data=/nonexistent"], "nonexistent"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let out = yima().args(args).env("YIMA_DATA", dir.path()).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        let why = String::from_utf8_lossy(&out.stderr).to_string();
        assert!(why.contains(part), "{args:?}: {why}");
    }
}
