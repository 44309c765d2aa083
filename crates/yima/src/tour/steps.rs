//! What happens on the tour, step by step. Every step checks what it shows; the first that does not hold ends it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use city::bill::Pack;
use city::bill::layout::{At, Field, Layout};
use codes::payment_code::{DeviceSecret, generate};
use hyper::{Method, StatusCode};
use kernel::{Clock, Date, Money, SystemClock};
use ledger::Address;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::client::{Answer, Client, good};
use crate::config::Fail;
use crate::samples::{SAMPLES, Sample};

/// Somebody who was signed in.
struct Person {
    id: String,
    token: String,
}

/// A biller one of whose bills was paid.
struct PaidBiller {
    id: String,
    name: String,
    key: String,
    pack: Pack,
    payment: String,
    amount: i64,
}

/// Where the tour stands.
pub struct Tour {
    client: Client,
    addr: SocketAddr,
    operator: String,
    dir: PathBuf,
    day: Date,
    step: u32,
    billers: Vec<PaidBiller>,
    shop_key: String,
    deposits: i64,
    /// What the shop's balance must be, gross less fees and refunds.
    shop_net: i64,
    began: kernel::Timestamp,
}

/// `12.50 CNY`
fn yuan(minor: i64) -> String {
    Money::fen(minor).to_string()
}

fn minor(value: &Value) -> i64 {
    value["minor"].as_i64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn cny(minor: i64) -> Value {
    json!({"minor": minor, "currency": "CNY"})
}

/// The step holds only if both are the same.
fn same<T: PartialEq + Display>(what: &str, found: T, wanted: T) -> Result<(), Fail> {
    if found == wanted { Ok(()) } else { Err(Fail::new(format!("{what}: {found} instead of {wanted}"))) }
}

/// The answer must be this refusal.
fn refused(what: &str, answer: Result<Answer, Fail>, code: &str) -> Result<(), Fail> {
    let answer = answer?;
    same(what, answer.code().as_str(), code)
}

impl Tour {
    /// At the beginning of `day`, with an operator's key.
    pub fn new(client: Client, addr: SocketAddr, operator: &str, dir: &Path, day: Date) -> Tour {
        Tour {
            client,
            addr,
            operator: operator.to_owned(),
            dir: dir.to_owned(),
            day,
            step: 0,
            billers: Vec::new(),
            shop_key: String::new(),
            deposits: 0,
            shop_net: 0,
            began: SystemClock.now(),
        }
    }

    /// Prints a step that held, with how long it took since the one before.
    fn show(&mut self, what: &str, amount: impl Display) {
        let now = SystemClock.now();
        let tenths = now.since(self.began).as_micros() / 100;
        self.began = now;
        self.step += 1;
        let took = format!("{}.{} ms", tenths / 10, tenths % 10);
        println!("{:>2}  {} {amount:>27} {took:>9}", self.step, pad(what, 60));
    }

    /// What happens by day.
    pub async fn day(&mut self, clock: &dyn Clock) -> Result<(), Fail> {
        let wang = self.sign_in("13900000001", "王小明").await?;
        let li = self.sign_in("13900000002", "李小红").await?;
        self.show("two residents sign in with a one-time code", "");
        for (who, reference) in [(&wang, "ICBC-0001"), (&li, "ICBC-0002")] {
            let path = format!("/v1/residents/{}/tier", who.id);
            good("tier", self.client.put(&path, &self.operator, &json!({"tier": 3})).await)?;
            let body = json!({"resident": who.id, "amount": cny(500_000), "reference": reference});
            good("deposit", self.client.post("/v1/deposits", &self.operator, None, &body).await)?;
            // The bank may send the same line twice.
            good("deposit", self.client.post("/v1/deposits", &self.operator, None, &body).await)?;
            self.deposits += 500_000;
        }
        self.show("the operator books their deposits, each sent twice by the bank", yuan(self.deposits));
        self.bills(&wang, &li).await?;
        self.shop(&wang, &li, clock).await
    }

    async fn sign_in(&mut self, phone: &str, name: &str) -> Result<Person, Fail> {
        let body = json!({"phone": phone});
        good("one-time code", self.client.post("/v1/sign-in/code", "", None, &body).await)?;
        let messages = std::fs::read_to_string(self.dir.join("messages.jsonl"))?;
        let last: Value = serde_json::from_str(messages.lines().last().unwrap_or_default())?;
        let body = json!({"phone": phone, "code": last["code"], "name": name});
        let signed = good("sign in", self.client.post("/v1/sign-in", "", None, &body).await)?;
        Ok(Person { id: text(&signed["resident"]["id"]), token: text(&signed["token"]) })
    }

    /// Billers: each shipped one hands in its file, and one bill of each is paid.
    async fn bills(&mut self, wang: &Person, li: &Person) -> Result<(), Fail> {
        for sample in SAMPLES {
            let pack = Pack::parse(sample.pack_text)?;
            let found = self.client.get(&format!("/v1/billers?q={}", sample.pack), "").await;
            let biller = good("billers", found)?["items"][0].clone();
            let (id, name) = (text(&biller["id"]), text(&biller["name"]["zh"]));
            let key = json!({"owner": id, "role": "staff", "name": "tour"});
            let key = text(
                &good("a biller's key", self.client.post("/v1/keys", &self.operator, None, &key).await)?["secret"],
            );

            let added = self.import(sample, &key).await?;
            self.show(&format!("{name} hands in {}", sample.file), format!("{added} bills"));

            let (account_no, bill_no) = cheapest(&pack, sample)?;
            let path = format!("/v1/billers/{id}/bills?account_no={account_no}");
            let bills = good("bills", self.client.get(&path, &wang.token).await)?;
            let bill =
                bills["items"].as_array().into_iter().flatten().find(|b| b["bill_no"] == bill_no.as_str());
            let bill =
                bill.ok_or_else(|| Fail::new("the imported bill is not found by its account number"))?;
            let pay = format!("/v1/bills/{}/pay", text(&bill["id"]));
            let body = json!({"quote": bill["quote"]["id"]});
            let paid = good("pay a bill", self.client.post(&pay, &wang.token, None, &body).await)?;
            same("bill payment", text(&paid["state"]), "settled".to_owned())?;
            let amount = minor(&paid["amount"]);
            same("amount", amount, minor(&bill["quote"]["total"]))?;
            // Nobody can pay it a second time.
            refused(
                "a paid bill",
                self.client.post(&pay, &li.token, None, &body).await,
                "bill_already_settled",
            )?;
            let fee = minor(&paid["late_fee"]);
            let late =
                if fee > 0 { format!(" (late fee {})", Money::fen(fee).amount()) } else { String::new() };
            self.show(&format!("  王小明 pays bill {bill_no}{late}"), yuan(amount));
            self.billers.push(PaidBiller { id, name, key, pack, payment: text(&paid["id"]), amount });
        }
        let receipt = format!("/v1/bill-payments/{}", self.billers[0].payment);
        let receipt = good("receipt", self.client.get(&receipt, &wang.token).await)?;
        same("receipt", minor(&receipt["payment"]["amount"]), self.billers[0].amount)?;
        Ok(())
    }

    /// Uploads a bill file and waits until it is taken in.
    async fn import(&mut self, sample: &Sample, key: &str) -> Result<u64, Fail> {
        let path = format!("/v1/imports?name={}", sample.file);
        let kind = "application/octet-stream";
        let sent = self.client.send(Method::POST, &path, key, None, kind, sample.bytes).await;
        let mut import = good("import", sent)?;
        let path = format!("/v1/imports/{}", text(&import["id"]));
        while import["finished_at"].is_null() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            import = good("import", self.client.get(&path, key).await)?;
        }
        same("refused rows", import["refused"].as_u64().unwrap_or_default(), 0)?;
        Ok(import["added"].as_u64().unwrap_or_default())
    }

    /// What happens at night: statements, settlement files, what comes back, and the match.
    pub async fn night(&mut self) -> Result<(), Fail> {
        println!("\n    night falls, the day's books are closed\n");
        let path = format!("/v1/merchants/me/statements/{}", self.day);
        let statement = self.client.get(&path, &self.shop_key).await?;
        same("statement", statement.status, StatusCode::OK)?;
        let last = String::from_utf8_lossy(&statement.body).lines().last().unwrap_or_default().to_owned();
        let net = last.rsplit(',').next().unwrap_or_default().to_owned();
        same("the statement's total", net.as_str(), Money::fen(self.shop_net).amount().as_str())?;
        self.show("the shop's statement agrees with its balance", yuan(self.shop_net));
        for at in 0..self.billers.len() {
            self.close_day(at).await?;
        }
        Ok(())
    }

    /// One biller's day: its file out, its answer and the bank's in, the match, the payout.
    async fn close_day(&mut self, at: usize) -> Result<(), Fail> {
        let biller = &self.billers[at];
        let (id, day) = (&biller.id, self.day);
        let file = self.client.get(&format!("/v1/biller/settlements/{day}/file"), &biller.key).await?;
        same("settlement file", file.status, StatusCode::OK)?;
        // The biller returns what it was given, in the layout it uses for that.
        let returned = match &biller.pack.spec.settlement.returned {
            None => file.body.to_vec(),
            Some(layout) => list(layout, &biller.payment, biller.amount)?,
        };
        let path = format!("/v1/biller/settlements/{day}/returned");
        let kind = "application/octet-stream";
        good("returned file", self.client.send(Method::PUT, &path, &biller.key, None, kind, returned).await)?;

        let bank = format!("/v1/billers/{id}/settlements/{day}/bank");
        let reconcile = format!("/v1/billers/{id}/settlements/{day}/reconcile");
        let layout = city::bill::reconcile::bank_layout();
        if at == 0 {
            // The bank lists one fen too little: the match must find it.
            let wrong = list(layout, &biller.payment, biller.amount - 1)?;
            good(
                "bank file",
                self.client.send(Method::PUT, &bank, &self.operator, None, "text/csv", wrong).await,
            )?;
            let report = self.client.post(&reconcile, &self.operator, None, &json!({})).await;
            same("breaks", good("reconcile", report)?["breaks"].as_u64().unwrap_or_default(), 1)?;
            let path = format!("/v1/billers/{id}/settlements/{day}/breaks");
            let breaks = good("breaks", self.client.get(&path, &self.operator).await)?;
            let found = &breaks["items"][0];
            let (code, remedy) = (text(&found["code"]), text(&found["remedy"]));
            let line = format!("{}: the bank lists 1 fen too little; {remedy}", biller.name);
            same("break", code.as_str(), "amount_differs")?;
            self.show(&line, code);
        }
        let biller = &self.billers[at];
        let right = list(layout, &biller.payment, biller.amount)?;
        good(
            "bank file",
            self.client.send(Method::PUT, &bank, &self.operator, None, "text/csv", right).await,
        )?;
        let report = good("reconcile", self.client.post(&reconcile, &self.operator, None, &json!({})).await)?;
        same("breaks", report["breaks"].as_u64().unwrap_or(u64::MAX), 0)?;
        same("matched", report["matched"].as_u64().unwrap_or_default(), 1)?;
        let payout = report["payout_minor"].as_i64().unwrap_or_default();
        let line = format!("{}: ledger, biller and bank agree; paid out", biller.name);
        self.show(&line, yuan(payout));
        Ok(())
    }

    /// The ledger, doubted: its journal by the auditor, or a cluster's books counted again; and the sums over the chart
    /// of accounts.
    pub async fn ledger_check(&mut self, address: &Address) -> Result<(), Fail> {
        let (accounts, open) = match address {
            Address::Embedded(dir) => {
                let audit = ledger::audit::verify(dir)?;
                let frames = format!("{} transfers in {} frames", audit.transfers, audit.frames);
                self.show("ledger check: chain, checksums, every balance recomputed", frames);
                let open = audit.open();
                (audit.accounts.into_values().collect::<Vec<_>>(), open)
            }
            Address::Cluster { .. } => {
                let (engine, _) = address.open(Arc::new(SystemClock)).await?;
                let found = ledger::recount::recount(&*engine.ledger(), &SystemClock).await?;
                engine.close().await;
                let transfers = format!("{} transfers", found.transfers);
                self.show("ledger check: every balance recomputed from the cluster's transfers", transfers);
                (found.accounts.into_values().collect(), found.open)
            }
        };
        let money = city::books::money(kernel::Currency::CNY);
        let (mut owed, mut held) = (0i128, 0i128);
        for account in accounts.iter().filter(|a| a.ledger == money) {
            let credit = i128::try_from(account.credits_posted)? - i128::try_from(account.debits_posted)?;
            let bank = account.code == city::books::account_code::BANK_CLEARING;
            if bank { held -= credit } else { owed += credit }
        }
        same("money at the bank", held, owed)?;
        same("open payments", open, 0)?;
        self.show(
            "money at the bank = wallets + shops + billers + campaigns + fees",
            yuan(i64::try_from(held)?),
        );
        println!("\nevery book agrees");
        Ok(())
    }

    /// Shops: a poster, an order's code, a scanned payment code, one above the no-PIN limit, a refund.
    async fn shop(&mut self, wang: &Person, li: &Person, clock: &dyn Clock) -> Result<(), Fail> {
        let body = json!({"reference": "tour-1", "name": "西湖早餐店", "mcc": "5814", "city": "杭州", "region": "330100"});
        let shop = good("open a shop", self.client.post("/v1/merchants", &self.operator, None, &body).await)?;
        let key = json!({"owner": shop["id"], "role": "admin", "name": "tour"});
        let key = good("a shop's key", self.client.post("/v1/keys", &self.operator, None, &key).await)?;
        self.shop_key = text(&key["secret"]);
        let poster = self.client.get("/v1/merchants/me/poster.pdf", &self.shop_key).await?;
        same("poster", poster.status, StatusCode::OK)?;
        self.show("a shop opens, and prints its poster (PDF)", format!("{} KB", poster.body.len() / 1024));

        let mut till = Till::listen(self.addr, &self.shop_key).await?;
        let key = self.shop_key.clone();

        // Merchant-presented: the order's code is drawn, photographed and read back, as a phone would.
        let order = json!({"order_no": "A-1", "amount": cny(1_250), "subject": "豆浆 油条"});
        let order = good("order", self.client.post("/v1/trades", &key, None, &order).await)?;
        let code = photographed(&text(&order["qr"]))?;
        let paid = self.client.post("/v1/payments", &wang.token, Some("p-1"), &json!({"code": code})).await;
        let paid = good("pay the order", paid)?;
        same("amount", minor(&paid["amount"]), 1_250)?;
        self.show("王小明 scans the order's QR code and pays", yuan(1_250));
        let heard = till.next().await?;
        same("the till hears", text(&heard["data"]["trade"]), text(&paid["trade"]))?;
        self.show("the till hears that the money came", text(&heard["type"]));

        // Asking again is the same payment; a damaged code is refused.
        let again = self.client.post("/v1/payments", &wang.token, Some("p-1"), &json!({"code": code})).await;
        same("repeated", good("again", again)?["repeated"].as_bool() == Some(true), true)?;
        let damaged = code.replacen("5814", "5815", 1);
        let refusal =
            self.client.post("/v1/payments", &wang.token, Some("p-2"), &json!({"code": damaged})).await;
        refused("a damaged code", refusal, "crc_mismatch")?;
        self.show("the same request again pays once; a damaged code is refused", "crc_mismatch");

        // Payer-presented: the phone makes a code offline, the till scans it.
        let device = json!({"name": "手机"});
        let device = good("device", self.client.post("/v1/me/devices", &li.token, None, &device).await)?;
        let secret = BASE64_STANDARD.decode(text(&device["secret"])).unwrap_or_default();
        let secret = secret.try_into().map_err(|_| Fail::new("a device secret has 32 bytes"))?;
        let secret = DeviceSecret::new(secret);
        let at = |clock: &dyn Clock| u64::try_from(clock.now().as_secs()).unwrap_or(0);
        let digits = generate(&secret, at(clock)).to_string();
        let charge = json!({"order_no": "A-2", "amount": cny(3_800), "payment_code": digits});
        let charged = good("charge", self.client.post("/v1/charges", &key, None, &charge).await)?;
        same("charge", text(&charged["status"]), "paid".to_owned())?;
        till.next().await?;
        self.show("李小红 shows a payment code made offline, the till scans it", yuan(3_800));
        let charge = json!({"order_no": "A-3", "amount": cny(3_800), "payment_code": digits});
        refused(
            "a used code",
            self.client.post("/v1/charges", &key, None, &charge).await,
            "payment_code_used",
        )?;
        self.show("the same code at another till is refused", "payment_code_used");

        // Above the no-PIN limit the trade waits for the payer.
        good("PIN", self.client.put("/v1/me/pin", &li.token, &json!({"pin": "135790"})).await)?;
        let digits = generate(&secret, at(clock) + 10).to_string();
        let charge = json!({"order_no": "A-4", "amount": cny(128_000), "payment_code": digits});
        let charged = good("charge", self.client.post("/v1/charges", &key, None, &charge).await)?;
        same("charge", text(&charged["status"]), "waiting".to_owned())?;
        let confirm = format!("/v1/payments/waiting/{}/confirm", text(&charged["trade"]));
        let wrong = self.client.post(&confirm, &li.token, None, &json!({"pin": "975310"})).await;
        refused("a wrong PIN", wrong, "pin_wrong")?;
        good("confirm", self.client.post(&confirm, &li.token, None, &json!({"pin": "135790"})).await)?;
        till.next().await?;
        self.show("above the no-PIN limit it waits; she confirms with her PIN", yuan(128_000));

        let refund = json!({"refund_no": "R-1", "amount": cny(28_000)});
        let back = good("refund", self.client.post("/v1/orders/A-4/refunds", &key, None, &refund).await)?;
        same("refund", minor(&back["amount"]), 28_000)?;
        till.next().await?;
        let refund = json!({"refund_no": "R-2", "amount": cny(100_001)});
        let over = self.client.post("/v1/orders/A-4/refunds", &key, None, &refund).await;
        refused("too large a refund", over, "refund_exceeds_paid")?;
        self.show("the shop refunds a part; more than was paid is refused", yuan(-28_000));

        self.coupon(wang, &shop, &mut till, clock).await?;

        let send = json!({"phone": "13900000002", "amount": cny(6_600)});
        let sent = self.client.post("/v1/transfers", &wang.token, Some("t-1"), &send).await;
        same("transfer", minor(&good("transfer", sent)?["amount"]), 6_600)?;
        self.show("王小明 sends 李小红 money by her phone number", yuan(6_600));

        let balance = good("balance", self.client.get("/v1/merchants/me/balance", &key).await)?;
        self.shop_net = minor(&balance["available"]);
        Ok(())
    }

    /// A coupon of the city: it pays its part once, and a refund does not turn it into money.
    async fn coupon(
        &mut self,
        wang: &Person,
        shop: &Value,
        till: &mut Till,
        clock: &dyn Clock,
    ) -> Result<(), Fail> {
        let hour = Duration::from_hours(1);
        let campaign = json!({"name": "满30减5", "minimum": cny(3_000), "discount": cny(500), "budget": cny(1_000),
            "valid_from": clock.now().minus(hour), "valid_until": clock.now().plus(hour), "shop": shop["id"]});
        let path = "/v1/operator/campaigns";
        let made = self.client.post(path, &self.operator, Some("c-1"), &campaign).await;
        let coupon = good("campaign", made)?["campaign"]["id"].clone();
        let order = json!({"order_no": "A-5", "amount": cny(3_000)});
        let order = good("order", self.client.post("/v1/trades", &self.shop_key, None, &order).await)?;
        let pay = json!({"code": order["qr"], "coupon": coupon});
        let paid = self.client.post("/v1/payments", &wang.token, Some("p-5"), &pay).await;
        let paid = good("pay with a coupon", paid)?;
        same("what the payer paid", minor(&paid["payer_paid"]), 2_500)?;
        till.next().await?;
        let order = json!({"order_no": "A-6", "amount": cny(3_000)});
        let order = good("order", self.client.post("/v1/trades", &self.shop_key, None, &order).await)?;
        let pay = json!({"code": order["qr"], "coupon": coupon});
        let again = self.client.post("/v1/payments", &wang.token, Some("p-6"), &pay).await;
        refused("a coupon that was used", again, "coupon_used")?;
        self.show("a coupon of the city takes 5.00 off 30.00, once", yuan(2_500));

        let refund = json!({"refund_no": "R-5", "amount": cny(1_500)});
        let path = "/v1/orders/A-5/refunds";
        good("refund", self.client.post(path, &self.shop_key, None, &refund).await)?;
        till.next().await?;
        let campaigns = self.client.get("/v1/operator/campaigns", &self.operator).await;
        let left = minor(&good("campaigns", campaigns)?["items"][0]["left"]);
        same("left of the campaign", left, 1_000 - 500 + 250)?;
        self.show("half is refunded, half of the coupon goes back to its campaign", yuan(-1_500));
        Ok(())
    }
}

/// The cheapest bill of a sample file: account and bill number. A resident has them on paper.
fn cheapest(pack: &Pack, sample: &Sample) -> Result<(String, String), Fail> {
    let lines = sample.bytes.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
    let layout = pack.spec.bills.file.as_ref().ok_or_else(|| Fail::new("a biller without files"))?;
    let bills = lines.filter_map(|line| city::bill::rules::read_bill(pack, layout, line).ok());
    let bill =
        bills.min_by_key(|b| b.amount_minor).ok_or_else(|| Fail::new("a sample file without bills"))?;
    Ok((bill.account_no, bill.bill_no))
}

/// A file of one payment in a layout.
fn list(layout: &Layout, reference: &str, amount: i64) -> Result<Vec<u8>, Fail> {
    let mut out = Vec::new();
    layout.header.iter().for_each(|line| layout.write_line(&mut out, line));
    let totals = |out: &mut Vec<u8>, at| match layout.totals.as_ref().filter(|t| t.at == at) {
        None => Ok(()),
        Some(totals) => layout.write(out, &totals.columns, |field| match field {
            Field::Tag => totals.tag.clone(),
            Field::Count => "1".to_owned(),
            _ => layout.amount_text(amount),
        }),
    };
    let wide = |_| Fail::new("a payment does not fit the layout");
    totals(&mut out, At::First).map_err(wide)?;
    let column = |field| match field {
        Field::Reference => reference.to_owned(),
        Field::Amount => layout.amount_text(amount),
        Field::PaidOn => layout.date_text(Date::constant(2026, 3, 2)),
        _ => String::new(),
    };
    layout.write(&mut out, &layout.columns, column).map_err(wide)?;
    totals(&mut out, At::Last).map_err(wide)?;
    Ok(out)
}

/// Draws a code as PNG and reads it back, as a phone's camera would.
fn photographed(code: &str) -> Result<String, Fail> {
    let symbol = codes::draw::qr(code, codes::draw::ErrorCorrection::Medium)?;
    let png = symbol.to_png(&codes::draw::Options::default())?;
    let mut texts = codes::read::qr_texts(&png, &codes::read::Limits::default())?;
    texts.pop().ok_or_else(|| Fail::new("the drawn code cannot be read"))
}

/// A till that listens to its shop's live events.
struct Till {
    lines: tokio::io::Lines<BufReader<TcpStream>>,
}

impl Till {
    async fn listen(addr: SocketAddr, key: &str) -> Result<Till, Fail> {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!(
            "GET /v1/merchants/me/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut till = Till { lines: BufReader::new(stream).lines() };
        // The server's first words: from here on nothing is missed.
        while !till.line().await?.contains("listening") {}
        Ok(till)
    }

    async fn line(&mut self) -> Result<String, Fail> {
        let line = tokio::time::timeout(Duration::from_secs(5), self.lines.next_line()).await;
        let line = line.map_err(|_| Fail::new("the till heard nothing for five seconds"))??;
        line.ok_or_else(|| Fail::new("the stream of live events ended"))
    }

    /// The next event.
    async fn next(&mut self) -> Result<Value, Fail> {
        loop {
            if let Some(data) = self.line().await?.strip_prefix("data:") {
                return Ok(serde_json::from_str(data)?);
            }
        }
    }
}

/// Fills up to `width` columns; a Chinese character takes two.
fn pad(text: &str, width: usize) -> String {
    let columns: usize = text.chars().map(|c| if c as u32 >= 0x2e80 { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(columns)))
}
