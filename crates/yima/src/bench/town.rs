//! The people of a benchmark: residents with a phone, money and an allowance, shops with a till, all made
//! through the public API, many at a time. One-time codes are read where the server's file sender puts them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use codes::mpm::{ShopFace, merchant_static};
use codes::payment_code::DeviceSecret;
use kernel::ids::{MerchantId, ResidentId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_local;

use super::bills::Stack;
use super::progress::Progress;
use crate::client::{Client, good};
use crate::config::Fail;

/// What every resident brings to the bank, minor units: enough for whatever the benchmark asks of them.
pub const DEPOSIT_MINOR: i64 = 15_000_000;

/// How many residents sign in between two looks at the file of one-time codes, which live five minutes.
const WAVE: usize = 10_000;

/// A resident as the benchmark plays it.
#[derive(Debug)]
pub struct Person {
    /// Who; also the wallet in the ledger.
    pub id: ResidentId,
    /// Eleven digits.
    pub phone: String,
    /// Session token.
    pub token: String,
    /// What the phone makes payment codes from.
    pub secret: DeviceSecret,
    /// The first ten seconds whose code was not shown yet.
    pub next_step: Cell<u64>,
}

/// A shop as the benchmark plays it.
#[derive(Debug)]
pub struct Till {
    /// Which shop; also its account in the ledger.
    pub shop: MerchantId,
    /// Staff key.
    pub key: String,
    /// What the code on its poster says.
    pub poster: String,
}

/// Everybody.
#[derive(Debug)]
pub struct Town {
    /// Residents.
    pub people: Vec<Person>,
    /// Shops; the first is the hot one.
    pub tills: Vec<Till>,
    /// Bills to be paid, if there are any.
    pub bills: Option<Stack>,
}

/// The categories of the shops in turn: restaurant, supermarket, hospital (no fee), clothes.
const CATEGORIES: [&str; 4] = ["5812", "5411", "8062", "5651"];

/// Makes the town over so many connections at once.
pub async fn build(
    addr: SocketAddr,
    messages: &Path,
    operator: &str,
    residents: u32,
    shops: u32,
    clients: u32,
) -> Result<Town, Fail> {
    let mut tokens = Vec::with_capacity(residents as usize);
    let all: Vec<u32> = (0..residents).collect();
    for numbers in all.chunks(WAVE) {
        let progress = Progress::new("one-time codes", numbers.len());
        let ask = numbers.iter().map(|n| phone(*n)).collect();
        each(addr, clients, ask, progress, async |client, phone: String| {
            good("one-time code", client.post("/v1/sign-in/code", "", None, &json!({"phone": phone})).await)
        })
        .await?;
        let mut codes = newest_codes(messages)?;
        let progress = Progress::new("residents", numbers.len());
        let ask = numbers
            .iter()
            .map(|n| (phone(*n), codes.remove(&format!("+86{}", phone(*n))).unwrap_or_default()));
        tokens.extend(each(addr, clients, ask.collect(), progress, sign_in(operator.to_owned())).await?);
    }
    let progress = Progress::new("deposits and phones", tokens.len());
    let people = each(addr, clients, tokens, progress, settle_in(operator.to_owned())).await?;
    let progress = Progress::new("shops", shops as usize);
    let tills = each(addr, clients, (0..shops).collect(), progress, open_shop(operator.to_owned())).await?;
    Ok(Town { people, tills, bills: None })
}

fn phone(number: u32) -> String {
    format!("139{number:08}")
}

/// A resident who is signed in and nothing else yet.
struct SignedIn {
    id: ResidentId,
    phone: String,
    token: String,
}

/// Signs in, and raises the tier to III.
fn sign_in(
    operator: String,
) -> impl AsyncFn(&mut Client, (String, String)) -> Result<SignedIn, Fail> + 'static {
    async move |client, (phone, code)| {
        let ask = json!({"phone": phone, "code": code, "name": "居民"});
        let answer = good("sign in", client.post("/v1/sign-in", "", None, &ask).await)?;
        let id: ResidentId = text(&answer["resident"]["id"])?.parse()?;
        let path = format!("/v1/residents/{id}/tier");
        good("tier", client.put(&path, &operator, &json!({"tier": 3})).await)?;
        Ok(SignedIn { id, phone, token: text(&answer["token"])?.to_owned() })
    }
}

/// Brings money, and a phone that makes payment codes.
fn settle_in(operator: String) -> impl AsyncFn(&mut Client, SignedIn) -> Result<Person, Fail> + 'static {
    async move |client, SignedIn { id, phone, token }| {
        let amount = json!({"minor": DEPOSIT_MINOR, "currency": "CNY"});
        let deposit = json!({"resident": id, "amount": amount, "reference": format!("BENCH-{phone}")});
        good("deposit", client.post("/v1/deposits", &operator, None, &deposit).await)?;
        let device =
            good("device", client.post("/v1/me/devices", &token, None, &json!({"name": "phone"})).await)?;
        let secret = BASE64_STANDARD.decode(text(&device["secret"])?).ok().and_then(|s| s.try_into().ok());
        let secret: [u8; 32] = secret.ok_or_else(|| Fail::new("a device secret is 32 bytes in base64"))?;
        let secret = DeviceSecret::new(secret);
        Ok(Person { id, phone, token, secret, next_step: Cell::new(0) })
    }
}

/// Opens a shop with a staff key.
fn open_shop(operator: String) -> impl AsyncFn(&mut Client, u32) -> Result<Till, Fail> + 'static {
    async move |client, number| {
        let mcc = CATEGORIES[number as usize % CATEGORIES.len()];
        let (reference, name) = (format!("bench-{number:05}"), format!("面馆{number:05}"));
        let ask =
            json!({"reference": reference, "name": name, "mcc": mcc, "city": "杭州", "region": "330106"});
        let answer = good("shop", client.post("/v1/merchants", &operator, None, &ask).await)?;
        let id: MerchantId = text(&answer["id"])?.parse()?;
        let ask = json!({"owner": id, "role": "staff", "name": "till"});
        let key = good("key", client.post("/v1/keys", &operator, None, &ask).await)?;
        // The poster is printed, no route tells its text: made the same way as the printed one.
        let merchant = id.to_string();
        let face = ShopFace {
            merchant: &merchant,
            name: &name,
            latin_name: None,
            city: "杭州",
            latin_city: Some("HANGZHOU"),
            category_code: mcc,
            currency: "156",
            country: "CN",
        };
        let poster = merchant_static(&face)?.encode()?;
        Ok(Till { shop: id, key: text(&key["secret"])?.to_owned(), poster })
    }
}

fn text(value: &Value) -> Result<&str, Fail> {
    value.as_str().ok_or_else(|| Fail::new(format!("a text is missing in an answer: {value}")))
}

/// The newest one-time code of each phone, E.164.
fn newest_codes(path: &Path) -> Result<HashMap<String, String>, Fail> {
    #[derive(Deserialize)]
    struct Line {
        phone: String,
        code: String,
    }
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(|line| Ok(serde_json::from_str::<Line>(line).map(|l| (l.phone, l.code))?));
    lines.collect()
}

/// Does the same for every item over so many connections; the answers in the order of the items.
pub async fn each<I, O, F>(
    addr: SocketAddr,
    clients: u32,
    items: Vec<I>,
    progress: Progress,
    work: F,
) -> Result<Vec<O>, Fail>
where
    I: 'static,
    O: 'static,
    F: AsyncFn(&mut Client, I) -> Result<O, Fail> + 'static,
{
    let shared = Rc::new((RefCell::new(items.into_iter().enumerate()), progress, work));
    let clients = (0..clients).map(|_| {
        let shared = shared.clone();
        spawn_local(async move {
            let (queue, progress, work) = &*shared;
            let mut client = Client::new(addr);
            let mut done = Vec::new();
            loop {
                let next = queue.borrow_mut().next();
                let Some((index, item)) = next else { return Ok::<_, Fail>(done) };
                done.push((index, work(&mut client, item).await?));
                progress.step();
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    let mut done = Vec::new();
    for client in clients {
        done.extend(client.await??);
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, answer)| answer).collect())
}
