//! Passkeys against an authenticator made here: what is signed is put together byte by byte from the standard (W3C Web
//! Authentication Level 3, sections 5.8.1 and 6.1), so that every byte can be wrong.

use std::sync::Arc;

use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ciborium::{Value as Cbor, cbor};
use city::identity::{self, Resident};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::browser::{Answer, read, router, send};
use crate::common::{PIN, Town, race};

const ORIGIN: &str = "http://localhost:8888";
const RP: &str = "localhost";
const UP: u8 = 1;
const UV: u8 = 4;
const BE: u8 = 8;
const BS: u8 = 16;
const AT: u8 = 64;
const ED: u8 = 128;

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// What signs.
enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    fn p256() -> Pair {
        let (random, kind) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Pair::P256(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap())
    }
    fn ed25519() -> Pair {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }
    fn rsa() -> Pair {
        Pair::Rsa(RsaKeyPair::from_der(include_bytes!("data/rsa.key.der")).unwrap())
    }
    fn cose(&self) -> Cbor {
        let bytes = |bytes: &[u8]| Cbor::Bytes(bytes.to_vec());
        match self {
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                cbor!({1 => 2, 3 => -7, -1 => 1, -2 => bytes(&point[1..33]), -3 => bytes(&point[33..])})
            }
            Pair::Ed25519(pair) => {
                cbor!({1 => 1, 3 => -8, -1 => 6, -2 => bytes(pair.public_key().as_ref())})
            }
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                cbor!({1 => 3, 3 => -257, -1 => bytes(&public.n), -2 => bytes(&public.e)})
            }
        }
        .unwrap()
    }
    fn sign(&self, data: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Pair::P256(pair) => pair.sign(&random, data).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(data).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, data, &mut signature).unwrap();
                signature
            }
        }
    }
}

/// An authenticator with one passkey, and all that it can get wrong.
#[derive(Clone)]
struct Phone {
    pair: Arc<Pair>,
    id: Vec<u8>,
    handle: Option<Vec<u8>>,
    kind: Option<&'static str>,
    challenge: Option<String>,
    origin: &'static str,
    more: Value,
    rp: &'static str,
    flags: u8,
    counter: u32,
    cose: Option<Cbor>,
    tail: Vec<u8>,
}

impl Phone {
    fn new(who: &Resident, pair: Pair) -> Phone {
        let id = Sha256::digest(text(&pair.sign(b"id"))).to_vec();
        Phone {
            pair: Arc::new(pair),
            id,
            handle: Some(who.id.to_bytes()),
            kind: None,
            challenge: None,
            origin: ORIGIN,
            more: json!({"crossOrigin": false, "other_keys_can_be_added_here": 1}),
            rp: RP,
            flags: UP | UV,
            counter: 0,
            cose: None,
            tail: Vec::new(),
        }
    }

    fn client(&self, kind: &str, challenge: &str) -> String {
        let mut client = self.more.clone();
        client["type"] = json!(self.kind.unwrap_or(kind));
        client["challenge"] = json!(self.challenge.as_deref().unwrap_or(challenge));
        client["origin"] = json!(self.origin);
        client.to_string()
    }

    fn data(&self, flags: u8, credential: &[u8]) -> Vec<u8> {
        let (hash, counter) = (Sha256::digest(self.rp), self.counter.to_be_bytes());
        [&hash[..], &[flags], &counter, credential, &self.tail].concat()
    }

    /// `RegistrationResponseJSON`, as `toJSON()` gives it, and a name.
    fn add(&self, challenge: &str) -> Value {
        let mut key = Vec::new();
        let cose = self.cose.clone().unwrap_or_else(|| self.pair.cose());
        ciborium::into_writer(&cose, &mut key).unwrap();
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let data = self.data(self.flags | AT, &[&[0; 16][..], &length, &self.id, &key].concat());
        let mut object = Vec::new();
        let attestation = cbor!({"fmt" => "none", "attStmt" => {}, "authData" => Cbor::Bytes(data.clone())});
        ciborium::into_writer(&attestation.unwrap(), &mut object).unwrap();
        let client = self.client("webauthn.create", challenge);
        json!({
            "name": "小明的手机",
            "id": text(&self.id), "rawId": text(&self.id), "type": "public-key",
            "authenticatorAttachment": "platform", "clientExtensionResults": {},
            "response": {"clientDataJSON": text(client.as_bytes()), "attestationObject": text(&object),
                "authenticatorData": text(&data), "transports": ["internal", "hybrid", "a b", "X"]},
        })
    }

    /// `AuthenticationResponseJSON`.
    fn sign_in(&self, challenge: &str) -> Value {
        let data = self.data(self.flags, &[]);
        let client = self.client("webauthn.get", challenge);
        let signature = self.pair.sign(&[&data[..], &Sha256::digest(&client)].concat());
        json!({
            "id": text(&self.id), "rawId": text(&self.id), "type": "public-key",
            "clientExtensionResults": {},
            "response": {"clientDataJSON": text(client.as_bytes()), "authenticatorData": text(&data),
                "signature": text(&signature), "userHandle": self.handle.as_deref().map(text)},
        })
    }
}

/// A resident with a bearer token, and the routes.
struct Person {
    town: Town,
    router: Router,
    token: String,
    who: Resident,
}

async fn token(town: &Town, phone: &str) -> (String, Resident) {
    identity::request_code(&town.city, phone).await.expect("a code");
    let sent = town.code_sent_to(phone);
    let token = identity::sign_in(&town.city, phone, &sent, Some("王小明")).await.expect("signed in").token;
    let who = identity::authenticate_resident(&town.city, &token).await.expect("live");
    (token, who)
}

async fn person() -> Person {
    let town = Town::new().await;
    let (token, who) = token(&town, "13800001111").await;
    Person { router: router(&town.city), token, who, town }
}

impl Person {
    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        send(&self.router, method, path, &[("authorization", &bearer)], body).await
    }
    async fn challenge(&self) -> String {
        let options = self.call("POST", "/v1/me/passkeys/options", Value::Null).await;
        options.body["publicKey"]["challenge"].as_str().expect("a challenge").to_owned()
    }
    async fn add(&self, phone: &Phone) -> Answer {
        self.call("POST", "/v1/me/passkeys", phone.add(&self.challenge().await)).await
    }
    async fn count(&self) -> usize {
        self.call("GET", "/v1/me/passkeys", Value::Null).await.body.as_array().expect("a list").len()
    }
    async fn with(pair: Pair) -> (Person, Phone) {
        let person = person().await;
        let phone = Phone::new(&person.who, pair);
        let added = person.add(&phone).await;
        assert_eq!(added.status, 201, "{}", added.body);
        (person, phone)
    }
}

async fn sign_in_challenge(router: &Router) -> String {
    let options = send(router, "POST", "/v1/session/passkey/options", &[], Value::Null).await;
    options.body["publicKey"]["challenge"].as_str().expect("a challenge").to_owned()
}

async fn answer(router: &Router, body: Value) -> Answer {
    send(router, "POST", "/v1/session/passkey", &[], body).await
}

async fn sign_in(router: &Router, phone: &Phone) -> Answer {
    answer(router, phone.sign_in(&sign_in_challenge(router).await)).await
}

#[tokio::test]
async fn from_adding_to_removing() {
    for (pair, counts) in
        [(Pair::p256(), false), (Pair::p256(), true), (Pair::ed25519(), false), (Pair::rsa(), true)]
    {
        let (person, mut phone) = Person::with(pair).await;
        let list = person.call("GET", "/v1/me/passkeys", Value::Null).await.body;
        assert_eq!((list[0]["name"].as_str(), &list[0]["used_at"]), (Some("小明的手机"), &Value::Null));
        let mut cookies = Vec::new();
        for _ in 0..2 {
            phone.counter += u32::from(counts);
            let opened = sign_in(&person.router, &phone).await;
            assert_eq!(opened.status, 200, "{}", opened.body);
            cookies.push(opened.cookie());
            assert_eq!(opened.body["who"]["id"], person.who.id.to_string());
            assert!(opened.set_cookie().ends_with("; Secure; HttpOnly; SameSite=Strict"));
            let again = read(&person.router, "resident", &opened.cookie()).await;
            assert_eq!(again.body, opened.body, "the same session as by one-time code");
        }
        let list = person.call("GET", "/v1/me/passkeys", Value::Null).await.body;
        assert!(list[0]["used_at"].is_string(), "{list}");
        let path = format!("/v1/me/passkeys/{}", list[0]["id"].as_str().expect("an id"));
        let (other, _) = token(&person.town, "13800002222").await;
        let bearer = format!("Bearer {other}");
        let foreign = send(&person.router, "DELETE", &path, &[("authorization", &bearer)], Value::Null).await;
        assert_eq!(foreign.code(), (404, "passkey_unknown"));
        assert_eq!(person.call("DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(person.call("DELETE", &path, Value::Null).await.code(), (404, "passkey_unknown"));
        assert_eq!(person.count().await, 0);
        for cookie in &cookies {
            let ended = read(&person.router, "resident", cookie).await;
            assert_eq!(ended.code(), (401, "unauthenticated"), "what it opened is shut too");
        }
        let own = person.call("GET", "/v1/me/passkeys", Value::Null).await;
        assert_eq!(own.status, 200, "but not the session that removed it");
        phone.counter += 1;
        assert_eq!(sign_in(&person.router, &phone).await.code(), (404, "passkey_unknown"), "removed");
    }
}

#[tokio::test]
async fn what_the_browser_is_asked_for() {
    let (person, phone) = Person::with(Pair::p256()).await;
    let options = person.call("POST", "/v1/me/passkeys/options", Value::Null).await.body;
    let challenge = options["publicKey"]["challenge"].clone();
    assert_eq!(
        BASE64_URL_SAFE_NO_PAD.decode(challenge.as_str().expect("text")).expect("base64url").len(),
        32
    );
    let known = json!([{"type": "public-key", "id": text(&phone.id), "transports": ["internal", "hybrid"]}]);
    let wanted = json!({
        "rp": {"id": RP, "name": "一码 Yima"},
        "user": {"id": text(&person.who.id.to_bytes()), "name": "+86138****1111", "displayName": "王小明"},
        "challenge": challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -7},
            {"type": "public-key", "alg": -257}],
        "timeout": 300_000,
        "excludeCredentials": known,
        "authenticatorSelection":
            {"residentKey": "required", "requireResidentKey": true, "userVerification": "required"},
        "attestation": "none",
    });
    assert_eq!(options["publicKey"], wanted);
    let options = send(&person.router, "POST", "/v1/session/passkey/options", &[], Value::Null).await.body;
    let challenge = options["publicKey"]["challenge"].clone();
    let wanted =
        json!({"challenge": challenge, "timeout": 300_000, "rpId": RP, "userVerification": "required"});
    assert_eq!(options["publicKey"], wanted, "no passkey is named");
}

type Wrong = fn(&mut Phone);

#[tokio::test]
async fn passkeys_that_are_not_added() {
    let person = person().await;
    let other = cbor!({1 => 2, 3 => -36, -1 => 3}).unwrap();
    let rows: Vec<(&str, Wrong, (u16, &str))> = vec![
        ("signing in", |p| p.kind = Some("webauthn.get"), (403, "passkey_refused")),
        ("another origin", |p| p.origin = "https://yima.example", (403, "passkey_refused")),
        ("another port", |p| p.origin = "http://localhost:8889", (403, "passkey_refused")),
        ("framed", |p| p.more = json!({"crossOrigin": true}), (403, "passkey_refused")),
        ("framed", |p| p.more = json!({"topOrigin": "https://x.example"}), (403, "passkey_refused")),
        ("another name", |p| p.rp = "yima.example", (403, "passkey_refused")),
        ("nobody there", |p| p.flags = UV, (403, "passkey_refused")),
        ("no finger", |p| p.flags = UP, (403, "passkey_refused")),
        ("copied, not to be copied", |p| p.flags |= BS, (422, "passkey_malformed")),
        ("bytes at the end", |p| p.tail = vec![0], (422, "passkey_malformed")),
        ("extensions cut off", |p| p.flags |= ED, (422, "passkey_malformed")),
        ("extensions of no map", |p| (p.flags, p.tail) = (p.flags | ED, vec![0]), (422, "passkey_malformed")),
        ("no challenge", |p| p.challenge = Some("!".to_owned()), (422, "passkey_malformed")),
        ("own challenge", |p| p.challenge = Some(text(&[7; 32])), (422, "passkey_challenge_gone")),
        ("no id", |p| p.id = Vec::new(), (422, "passkey_malformed")),
        ("long id", |p| p.id = vec![7; 1024], (422, "passkey_malformed")),
        ("no key", |p| p.cose = Some(Cbor::Null), (422, "passkey_malformed")),
        (
            "key of another kind",
            |p| p.cose = Some(cbor!({1 => 3, 3 => -7}).unwrap()),
            (403, "passkey_refused"),
        ),
        (
            "half a point",
            |p| p.cose = Some(cbor!({1 => 2, 3 => -7, -1 => 1}).unwrap()),
            (422, "passkey_malformed"),
        ),
    ];
    for (what, wrong, refused) in rows {
        let mut phone = Phone::new(&person.who, Pair::p256());
        wrong(&mut phone);
        assert_eq!(person.add(&phone).await.code(), refused, "{what}");
    }
    let phone = Phone { cose: Some(other), ..Phone::new(&person.who, Pair::p256()) };
    assert_eq!(person.add(&phone).await.code(), (403, "passkey_refused"), "P-521");

    let phone = Phone::new(&person.who, Pair::p256());
    for (pointer, value, refused) in [
        ("/id", json!(text(b"another")), (422, "passkey_malformed")),
        ("/id", json!("!"), (422, "passkey_malformed")),
        ("/response/clientDataJSON", json!(text(b"{")), (422, "passkey_malformed")),
        ("/response/clientDataJSON", json!("="), (422, "passkey_malformed")),
        ("/response/attestationObject", json!(text(b"")), (422, "passkey_malformed")),
        ("/response/attestationObject", json!(text(&[0xa0])), (422, "passkey_malformed")),
        ("/response/attestationObject", json!(text(&[0xbb; 9])), (422, "passkey_malformed")),
        ("/response/attestationObject", json!(text(&[0x81; 5_000])), (422, "passkey_malformed")),
        ("/response/attestationObject", json!("a b"), (422, "passkey_malformed")),
        ("/response", json!({}), (400, "malformed_body")),
        ("/name", json!(""), (422, "name_malformed")),
    ] {
        let mut body = phone.add(&person.challenge().await);
        *body.pointer_mut(pointer).expect("a member") = value.clone();
        assert_eq!(person.call("POST", "/v1/me/passkeys", body).await.code(), refused, "{pointer} {value}");
    }
    assert_eq!(person.count().await, 0);
    let nobody = send(&person.router, "POST", "/v1/me/passkeys/options", &[], Value::Null).await;
    assert_eq!(nobody.code(), (401, "unauthenticated"));
}

#[tokio::test]
async fn a_challenge_lives_five_minutes_and_serves_once_and_one() {
    let (person, phone) = Person::with(Pair::p256()).await;
    let fresh = || Phone::new(&person.who, Pair::p256());
    let add = |body: Value| person.call("POST", "/v1/me/passkeys", body);
    let gone = (422, "passkey_challenge_gone");

    let used = person.challenge().await;
    assert_eq!(add(fresh().add(&used)).await.status, 201);
    assert_eq!(add(fresh().add(&used)).await.code(), gone);
    let failed = person.challenge().await;
    let wrong = Phone { rp: "yima.example", ..fresh() };
    assert_eq!(add(wrong.add(&failed)).await.code(), (403, "passkey_refused"));
    assert_eq!(add(fresh().add(&failed)).await.code(), gone, "used up by what was refused");
    assert_eq!(
        add(fresh().add(&sign_in_challenge(&person.router).await)).await.code(),
        gone,
        "for signing in"
    );
    let (other, _) = token(&person.town, "13800002222").await;
    let bearer = format!("Bearer {other}");
    let head = [("authorization", bearer.as_str())];
    let theirs = send(&person.router, "POST", "/v1/me/passkeys/options", &head, Value::Null).await;
    let theirs = theirs.body["publicKey"]["challenge"].as_str().expect("a challenge").to_owned();
    assert_eq!(add(fresh().add(&theirs)).await.code(), gone, "somebody else's");

    let used = sign_in_challenge(&person.router).await;
    assert_eq!(answer(&person.router, phone.sign_in(&used)).await.status, 200);
    assert_eq!(answer(&person.router, phone.sign_in(&used)).await.code(), gone, "replayed");
    let for_adding = person.challenge().await;
    assert_eq!(answer(&person.router, phone.sign_in(&for_adding)).await.code(), gone, "for adding");

    for (wait, works) in [(299, true), (300, false)] {
        let (one, two) = (person.challenge().await, sign_in_challenge(&person.router).await);
        person.town.pass(wait);
        let (added, opened) =
            (add(fresh().add(&one)).await, answer(&person.router, phone.sign_in(&two)).await);
        if works {
            assert_eq!((added.status, opened.status), (201, 200), "after {wait} s");
        } else {
            assert_eq!((added.code(), opened.code()), (gone, gone), "after {wait} s");
        }
    }
}

#[tokio::test]
async fn signatures_that_open_nothing() {
    let (person, mut phone) = Person::with(Pair::p256()).await;
    phone.counter = 7;
    assert_eq!(sign_in(&person.router, &phone).await.status, 200);
    let refused = (403, "passkey_refused");
    let rows: Vec<(&str, Wrong, (u16, &str))> = vec![
        ("adding", |p| p.kind = Some("webauthn.create"), refused),
        ("another origin", |p| p.origin = "http://localhost", refused),
        ("framed", |p| p.more = json!({"crossOrigin": true}), refused),
        ("another name", |p| p.rp = "yima.example", refused),
        ("nobody there", |p| p.flags = UV, refused),
        ("no finger", |p| p.flags = UP, refused),
        ("may be copied now", |p| p.flags |= BE, refused),
        ("another key", |p| p.pair = Arc::new(Pair::p256()), refused),
        ("another kind of key", |p| p.pair = Arc::new(Pair::ed25519()), refused),
        ("the same counter", |p| p.counter = 7, refused),
        ("a counter that went back", |p| p.counter = 6, refused),
        ("no counter any more", |p| p.counter = 0, refused),
        ("nobody's", |p| p.handle = None, refused),
        ("somebody else's", |p| p.handle = Some(vec![7; 16]), refused),
        ("unknown", |p| p.id = vec![7; 32], (404, "passkey_unknown")),
        ("a new credential in it", |p| p.flags |= AT, (422, "passkey_malformed")),
        ("bytes at the end", |p| p.tail = vec![0], (422, "passkey_malformed")),
    ];
    for (what, wrong, refused) in rows {
        let mut bad = Phone { counter: 8, ..phone.clone() };
        wrong(&mut bad);
        let answered = sign_in(&person.router, &bad).await;
        assert_eq!((answered.code(), answered.set_cookie()), (refused, ""), "{what}");
    }
    phone.counter = 8;
    let other = text(phone.client("webauthn.get", "AAAA").as_bytes());
    let der = text(&[0x30, 6, 2, 1, 1, 2, 1, 1]);
    for (pointer, value, refused) in [
        ("/response/signature", json!(der), refused),
        ("/response/signature", json!(""), refused),
        ("/response/signature", json!("!"), (422, "passkey_malformed")),
        ("/response/userHandle", json!("!"), (422, "passkey_malformed")),
        ("/response/authenticatorData", json!(""), (422, "passkey_malformed")),
        ("/response/clientDataJSON", json!(other), (422, "passkey_challenge_gone")),
        ("/response/clientDataJSON", json!(text(b"[]")), (422, "passkey_malformed")),
        ("/id", json!("!"), (422, "passkey_malformed")),
        ("/response", json!(1), (400, "malformed_body")),
    ] {
        let mut body = phone.sign_in(&sign_in_challenge(&person.router).await);
        *body.pointer_mut(pointer).expect("a member") = value.clone();
        let answered = answer(&person.router, body).await;
        assert_eq!((answered.code(), answered.set_cookie()), (refused, ""), "{pointer} {value}");
    }
    // The browser's data is part of what is signed, to the byte.
    let mut body = phone.sign_in(&sign_in_challenge(&person.router).await);
    let client = BASE64_URL_SAFE_NO_PAD.decode(body["response"]["clientDataJSON"].as_str().unwrap()).unwrap();
    body["response"]["clientDataJSON"] = json!(text(&[&client[..], b" "].concat()));
    assert_eq!(answer(&person.router, body).await.code(), refused);
    // Nothing of all that did harm.
    assert_eq!(sign_in(&person.router, &phone).await.status, 200);

    for site in ["cross-site", "same-site", "none"] {
        for (path, body) in
            [("/v1/session/passkey/options", Value::Null), ("/v1/session/passkey", phone.sign_in("AAAA"))]
        {
            let answered = send(&person.router, "POST", path, &[("sec-fetch-site", site)], body).await;
            assert_eq!(answered.code(), (403, "csrf"), "{path} {site}");
        }
    }
}

/// Of two copies of an authenticator that count alike only one gets in, whichever node they ask.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_count_alike() {
    let (person, mut phone) = Person::with(Pair::p256()).await;
    let nodes = [person.router.clone(), router(&person.town.node().await)];
    for counter in 1..=5 {
        phone.counter = counter;
        let mut bodies = Vec::new();
        for _ in 0..8 {
            bodies.push(phone.sign_in(&sign_in_challenge(&person.router).await));
        }
        let ends = race(bodies.len(), |i| {
            let (node, body) = (nodes[i % 2].clone(), bodies[i].clone());
            async move { answer(&node, body).await.status }
        });
        let mut ends = ends.await;
        ends.sort_unstable();
        assert_eq!(ends, [200, 403, 403, 403, 403, 403, 403, 403], "counter {counter}");
    }
}

#[tokio::test]
async fn a_passkey_is_somebodys_once_and_nobody_has_more_than_ten() {
    let (person, phone) = Person::with(Pair::p256()).await;
    assert_eq!(person.add(&phone).await.code(), (409, "passkey_exists"));
    let (other, who) = token(&person.town, "13800002222").await;
    let theirs = Person { token: other, who, router: person.router.clone(), town: person.town };
    assert_eq!(theirs.add(&phone).await.code(), (409, "passkey_exists"), "somebody else's");
    assert_eq!(theirs.count().await, 0);
    let challenge = theirs.challenge().await;
    for n in 0..10 {
        let mut synced = Phone::new(&theirs.who, Pair::p256());
        synced.flags |= BE | BS | if n % 2 == 0 { 0 } else { ED };
        synced.tail = if n % 2 == 0 { Vec::new() } else { vec![0xa0] };
        let added = theirs.add(&synced).await;
        assert_eq!((added.status, &added.body["synced"]), (201, &json!(true)), "{}", added.body);
        assert_eq!(sign_in(&theirs.router, &synced).await.body["who"]["id"], theirs.who.id.to_string());
    }
    let options = theirs.call("POST", "/v1/me/passkeys/options", Value::Null).await;
    assert_eq!(options.code(), (409, "passkeys_max"));
    let late = Phone::new(&theirs.who, Pair::p256()).add(&challenge);
    assert_eq!(theirs.call("POST", "/v1/me/passkeys", late).await.code(), (409, "passkeys_max"));
    assert_eq!(theirs.count().await, 10);
}

/// Also where many come at once, to two nodes.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_has_more_than_ten_however_many_come_at_once() {
    let person = person().await;
    let nodes = [person.router.clone(), router(&person.town.node().await)];
    let mut bodies = Vec::new();
    for _ in 0..20 {
        bodies.push(Phone::new(&person.who, Pair::p256()).add(&person.challenge().await));
    }
    let bearer = format!("Bearer {}", person.token);
    let ends = race(bodies.len(), |i| {
        let (node, body, bearer) = (nodes[i % 2].clone(), bodies[i].clone(), bearer.clone());
        async move { send(&node, "POST", "/v1/me/passkeys", &[("authorization", &bearer)], body).await.status }
    });
    let ends = ends.await;
    let of = |status: u16| ends.iter().filter(|end| **end == status).count();
    assert_eq!((of(201), of(409)), (10, 10), "{ends:?}");
    assert_eq!(person.count().await, 10);
}

/// Who took a session without the PIN gets no door of his own by it.
#[tokio::test]
async fn with_a_pin_adding_one_asks_for_it() {
    let person = person().await;
    let path = "/v1/me/passkeys/options";
    let begin = async |pin: Value| person.call("POST", path, pin).await;
    assert_eq!(begin(json!({"pin": "1"})).await.status, 200, "there is none to be right");
    person.town.pin(&person.who).await;
    for (body, refused) in [
        (Value::Null, (403, "pin_required")),
        (json!({}), (403, "pin_required")),
        (json!({"pin": "000000"}), (403, "pin_wrong")),
        (json!({"pin": 135_790}), (400, "malformed_body")),
        (json!({"pim": PIN}), (400, "malformed_body")),
    ] {
        let answer = begin(body.clone()).await;
        assert_eq!(answer.code(), refused, "{body}");
        assert_eq!(answer.body["publicKey"], Value::Null, "{body}");
    }
    let options = begin(json!({"pin": PIN})).await;
    let challenge = options.body["publicKey"]["challenge"].as_str().expect("a challenge");
    let phone = Phone::new(&person.who, Pair::p256());
    assert_eq!(person.call("POST", "/v1/me/passkeys", phone.add(challenge)).await.status, 201);
    for left in (0..5).rev() {
        let code = if left == 0 { "pin_locked" } else { "pin_wrong" };
        assert_eq!(begin(json!({"pin": "000000"})).await.body["code"], code);
    }
    assert_eq!(begin(json!({"pin": PIN})).await.body["code"], "pin_locked", "the right one too");
    assert_eq!(person.count().await, 1);
}
