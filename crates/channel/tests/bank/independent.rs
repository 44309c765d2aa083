//! ISO 8583 as somebody else's library has it (`tests/independent/iso8583.py`): it reads what we write, we read what it
//! writes, and it stands at either end of a line to us.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use channel::bank::counterpart::Faults;
use channel::bank::line::{BankDoor, Phase};
use channel::bank::message::{Dialect, Network, Question};
use channel::iso8583::{Bitmap, Class, Digits, FieldPack, Form, LengthForm, Message, Pad};
use channel::{Debt, Door as _, Meaning, Reply};
use kernel::{Rng as _, SeededRng, SystemClock};
use serde_json::{Value, json};

use super::fixture::{ASCII, BCD, Known, book, counterpart, debt, dialect, now, nth, spec};

/// The interpreter that has the library. Without one, says so; where the environment demands it, that is a failure.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("YIMA_PYTHON").map(PathBuf::from);
    if named.is_none() {
        let demanded = ["CI", "YIMA_REQUIRE_TOOLS"].iter().any(|v| std::env::var_os(v).is_some());
        assert!(
            !demanded,
            "YIMA_PYTHON names no interpreter with pyiso8583: see crates/channel/tests/independent"
        );
        println!("skipped: YIMA_PYTHON names no interpreter with pyiso8583");
    }
    named
}

fn script(python: &Path, words: &[&str], given: &Value, dir: &Path) -> Command {
    let file = dir.join("given.json");
    std::fs::write(&file, given.to_string()).unwrap();
    let mut command = Command::new(python);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/iso8583.py");
    // -I: the script has the name of the module it imports.
    command.args(["-I", "-B"]).arg(script).arg(words[0]).arg(file).args(&words[1..]);
    command.stdout(Stdio::piped());
    command
}

fn run(mut command: Command) -> Value {
    let out = command.output().expect("the interpreter runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("JSON")
}

fn pack_of(pack: &FieldPack) -> Value {
    let fields: BTreeMap<String, Value> = pack
        .fields()
        .map(|(number, field)| {
            let class = match field.class {
                Class::N => "n",
                Class::Xn => "xn",
                Class::An => "an",
                Class::Ans => "ans",
                Class::Z => "z",
                Class::B => "b",
            };
            let form = match field.form() {
                Form::Ascii => "ascii",
                Form::Bcd => "bcd",
                Form::Gb18030 => "gb18030",
                Form::Binary => "binary",
            };
            let value = json!({
                "class": class,
                "length": field.length,
                "prefix": field.prefix.unwrap_or(0),
                "prefix_form": if field.prefix_form == Digits::Bcd { "bcd" } else { "ascii" },
                "form": form,
                "pad": if field.pad == Pad::Left { "left" } else { "right" },
            });
            (number.to_string(), value)
        })
        .collect();
    json!({
        "mti": if pack.mti == Digits::Bcd { "bcd" } else { "ascii" },
        "bitmap": if pack.bitmap == Bitmap::Binary { "binary" } else { "hex" },
        "fields": fields,
    })
}

fn fields_of(message: &Message) -> Value {
    message.fields.iter().map(|(number, value)| (number.to_string(), json!(value))).collect()
}

fn message_of(value: &Value) -> Message {
    let mut message = Message::new(value["mti"].as_str().unwrap());
    for (number, text) in value["fields"].as_object().unwrap() {
        message = message.with(number.parse().unwrap(), text.as_str().unwrap());
    }
    message
}

/// Values of every class and, where they may vary, of every length that makes a difference.
fn sample(pack: &FieldPack, rng: &SeededRng) -> Message {
    let mut message = Message::new(["0100", "0200", "0420", "0810"][usize::try_from(rng.u64() % 4).unwrap()]);
    for (number, field) in pack.fields() {
        if rng.u64().is_multiple_of(3) {
            continue;
        }
        let longest = u64::from(field.length);
        let length = if field.prefix.is_some() { rng.u64() % (longest.min(40) + 1) } else { longest };
        let pick = |alphabet: &str, count: u64| -> String {
            let all: Vec<char> = alphabet.chars().collect();
            (0..count).map(|_| all[usize::try_from(rng.u64() % all.len() as u64).unwrap()]).collect()
        };
        let value = match (field.class, field.form()) {
            (Class::N, _) => pick("0123456789", length),
            (Class::Z, _) => pick("0123456789=", length),
            (Class::An, _) => pick("ABZaz09 ", length),
            (Class::Ans, Form::Gb18030) => pick("杭州供电A1 ", length / 2),
            (Class::Ans, _) => pick("AZaz09 ~!|;", length),
            (Class::Xn, _) => pick("CD", 1) + &pick("0123456789", length - 1),
            (Class::B, _) => pick("0123456789ABCDEF", length * 2),
        };
        message = message.with(number, value);
    }
    message
}

#[test]
fn it_reads_and_writes_every_message_as_we_do() {
    let Some(python) = python() else { return };
    // As some networks have it: the bitmap in hexadecimal digits.
    let mut hexadecimal = dialect(ASCII).pack().clone();
    hexadecimal.bitmap = Bitmap::Hex;
    let packs = [dialect(ASCII).pack().clone(), dialect(BCD).pack().clone(), hexadecimal];
    let rng = SeededRng::new(8_583);
    let mut vectors = Vec::new();
    for (n, pack) in packs.iter().enumerate() {
        for _ in 0..200 {
            let message = sample(pack, &rng);
            let bytes = pack.encode(&message).unwrap();
            vectors.push(json!({
                "pack": n.to_string(), "mti": message.mti, "fields": fields_of(&message), "hex": kernel::hex(&bytes),
            }));
        }
    }
    let named: BTreeMap<String, Value> =
        packs.iter().enumerate().map(|(n, pack)| (n.to_string(), pack_of(pack))).collect();
    let dir = tempfile::tempdir().unwrap();
    let told = run(script(&python, &["codec"], &json!({ "packs": named, "vectors": vectors }), dir.path()));
    assert_eq!(told["differences"], json!([]));
    assert_eq!(told["checked"], 600);
    let made = told["made"].as_array().unwrap();
    assert_eq!(made.len(), 600);
    for one in made {
        let pack = &packs[one["pack"].as_str().unwrap().parse::<usize>().unwrap()];
        let hex = one["hex"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let wanted = message_of(one);
        assert_eq!(pack.decode(&bytes).as_ref(), Ok(&wanted));
        assert_eq!(kernel::hex(&pack.encode(&wanted).unwrap()), hex);
    }
}

/// What the script needs to know of a line.
fn line_of(dialect: &Dialect) -> Value {
    let spec = dialect.spec();
    let length = if spec.framing.length == LengthForm::Ascii4 { "ascii4" } else { "binary2" };
    json!({
        "packs": { "it": pack_of(dialect.pack()) },
        "pack": "it",
        "framing": { "length": length, "header": spec.framing.header },
        "pay": spec.pay.code,
        "inquire": spec.inquire.code,
    })
}

/// Both banks, without codes: the library has none.
fn lines() -> [Dialect; 2] {
    [ASCII, BCD].map(|text| {
        let mut spec = spec(text);
        spec.mac = None;
        spec.prove().unwrap()
    })
}

#[tokio::test]
async fn it_asks_our_bank_as_we_do() {
    let Some(python) = python() else { return };
    for dialect in lines() {
        let holder =
            if dialect.spec().mac.is_none() && dialect.spec().refund.is_none() { "张三" } else { "Zhang" };
        let owed = Debt { holder: holder.to_owned(), ..debt("B7", 1_500) };
        let mut accounts = book(1);
        accounts.open("330100", "A7", vec![owed.clone()]);
        let bank = counterpart(&dialect, accounts, Faults::default()).await;
        let query = Question::Query { institution: "330100".to_owned(), account_no: "A7".to_owned() };
        let wrong = channel::Payment { amount_minor: 5, ..nth(0) };
        let questions = [
            Question::Pay(nth(0)),
            Question::Network(Network::SignOn),
            Question::Network(Network::Echo),
            query.clone(),
            Question::Pay(wrong),
            Question::Pay(nth(0)),
            Question::Pay(nth(0)),
            Question::Inquire(nth(0)),
            Question::Reverse { payment: nth(0), repeated: false },
            Question::Reverse { payment: nth(0), repeated: true },
            Question::Pay(nth(0)),
            Question::Inquire(nth(0)),
        ];
        let asked: Vec<Message> = questions.iter().map(|q| dialect.write(q, 9, now()).unwrap()).collect();
        let mut given = line_of(&dialect);
        given["questions"] =
            asked.iter().map(|m| json!({ "mti": m.mti, "fields": fields_of(m) })).collect::<Vec<_>>().into();
        let dir = tempfile::tempdir().unwrap();
        let command = script(&python, &["client", &bank.address().port().to_string()], &given, dir.path());
        let told = tokio::task::spawn_blocking(move || run(command)).await.unwrap();
        let answers: Vec<Message> = told.as_array().unwrap().iter().map(message_of).collect();
        let meant: Vec<_> =
            (0..questions.len()).map(|n| dialect.meaning(&questions[n], &asked[n], &answers[n])).collect();
        let (yes, no) = (|| Reply::Said(Vec::new()), Reply::Meant);
        assert_eq!(
            meant,
            [
                no(Meaning::Closed),
                yes(),
                yes(),
                Reply::Said(vec![owed]),
                no(Meaning::AmountDiffers),
                yes(),
                yes(),
                yes(),
                yes(),
                yes(),
                no(Meaning::Refused),
                no(Meaning::Unknown),
            ]
        );
        assert_eq!(answers[5].mti, "0210");
        assert_eq!(answers[9].mti, "0430");
        assert_eq!(answers[2].mti, "0810");
        assert!(bank.book().taken().is_empty());
    }
}

#[tokio::test]
async fn we_ask_its_bank_as_it_understands() {
    let Some(python) = python() else { return };
    for dialect in lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut bank = script(&python, &["server"], &line_of(&dialect), dir.path()).spawn().unwrap();
        let mut said = BufReader::new(bank.stdout.take().unwrap());
        let mut port = String::new();
        said.read_line(&mut port).unwrap();
        let address = format!("127.0.0.1:{}", port.trim());
        let rng = Arc::new(SeededRng::new(3));
        let door = BankDoor::open(&address, dialect.clone(), &Known, Arc::new(SystemClock), rng).unwrap();
        let limit = std::time::Duration::from_mins(1);
        tokio::time::timeout(limit, door.reaches(Phase::Up)).await.expect("it answers our sign-on");
        assert_eq!(door.probe().await, Reply::Said(()));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Meant(Meaning::Unknown));
        assert_eq!(door.pay(&nth(0)).await, Reply::Said(()));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Said(()));
        assert_eq!(door.reverse(&nth(0)).await, Reply::Said(()));
        assert_eq!(door.inquire(&nth(0)).await, Reply::Meant(Meaning::Unknown));
        door.close().await;
        let read = move || {
            let mut told = String::new();
            said.read_to_string(&mut told).map(|_| told)
        };
        let told = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(&told).expect("JSON");
        let asked: Vec<Message> = told.as_array().unwrap().iter().map(message_of).collect();
        let types: Vec<_> = asked.iter().map(|m| (m.mti.as_str(), m.get(70))).collect();
        let about = dialect.spec().inquire.mti.as_str();
        let network = |code| ("0800", Some(code));
        assert_eq!(
            types,
            [
                network("001"),
                network("301"),
                (about, None),
                ("0200", None),
                (about, None),
                ("0420", None),
                (about, None),
                network("002"),
            ]
        );
        let (pay, reversal) = (&asked[3], &asked[5]);
        assert_eq!(pay.get(4), Some("000000001000"));
        assert_eq!(pay.get(32), Some(dialect.spec().acquirer.as_str()));
        // The payment, as its reversal names it.
        let original = reversal.get(90).unwrap();
        assert_eq!(&original[..20], format!("0200{}{}", pay.get(11).unwrap(), pay.get(7).unwrap()));
        bank.wait().unwrap();
    }
}
