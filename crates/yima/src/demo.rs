//! `yima demo`, `yima operator`, `yima import`: commands that act on the city of this machine directly.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use city::City;
use city::identity::{self, Operator, OwnerKind, Role, Tier};
use city::merchant::OpenShop;
use kernel::Money;
use kernel::ids::ResidentId;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::config::{Config, Fail, Flags};
use crate::samples::SAMPLES;
use crate::server::{Running, listen, logs, stop_signal};

/// Makes an operator and prints its API key.
pub async fn operator(config: &Config, name: &str) -> Result<(), Fail> {
    let running = Running::open(config).await?;
    let made = identity::bootstrap_operator(&running.city, name).await;
    running.close().await;
    println!("{}", made?.secret);
    Ok(())
}

/// Which file to import for whom.
#[derive(clap::Args)]
pub struct ImportOptions {
    #[command(flatten)]
    flags: Flags,
    /// The biller: its id (`blr_…`) or its pack's id (`hz-power`).
    biller: String,
    /// The bill file, in the layout of the biller's pack. It must not change while it is read.
    file: PathBuf,
}

/// Imports a bill file and prints how far it is. Interrupted, the same command goes on where it stood.
pub async fn import(options: &ImportOptions) -> Result<(), Fail> {
    let running = Running::open(&options.flags.load()?).await?;
    let imported = import_file(&running.city, &options.biller, &options.file).await;
    running.close().await;
    imported
}

async fn import_file(city: &City, biller: &str, file: &Path) -> Result<(), Fail> {
    let packs = city::bill::billers(city, &city::bill::BillerFilter::default()).await?;
    let known = packs.iter().find(|p| p.spec.id == biller || p.biller.to_string() == biller);
    let pack = known.ok_or_else(|| Fail::new(format!("{biller}: no such biller")))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let progress = |i: &city::bill::Import| {
        println!("line {:>12}: {} bills added, {} rows refused", i.line, i.added, i.refused);
    };
    let done = city::bill::import_path(city, pack.biller, file, &name, progress).await?;
    println!("{}: {} added, {} known already, {} refused", done.id, done.added, done.unchanged, done.refused);
    for error in city::bill::row_errors(city, done.id, 0, 20).await? {
        println!("  line {}: {} ({})", error.line, error.code, error.field);
    }
    Ok(())
}

/// Who lives in the demo city: phone, name, tier, yuan in the wallet.
const RESIDENTS: [(&str, &str, Tier, i64); 3] = [
    ("13800000001", "王小明", Tier::III, 5_000),
    ("13800000002", "李小红", Tier::II, 800),
    ("13800000003", "张伟", Tier::I, 200),
];

/// Its shops: reference, name, MCC (5814 fast food, 5411 groceries).
const SHOPS: [(&str, &str, &str); 2] =
    [("demo-breakfast", "西湖早餐店", "5814"), ("demo-tea", "龙井茶庄", "5411")];

/// What was made when the demo city was born; kept in `demo.json` so that it can be shown again.
#[derive(Serialize, Deserialize)]
struct Born {
    operator: String,
    /// Of an operator whom the first has not made: the second pair of eyes.
    #[serde(default)]
    second_operator: Option<String>,
    shops: Vec<(String, String, String)>,
}

/// Serves the demo city, which is born at the first start.
pub async fn demo(flags: &Flags) -> Result<(), Fail> {
    let mut flags = flags.clone();
    flags.data.get_or_insert_with(|| PathBuf::from("data/demo"));
    let config = flags.load()?;
    logs(&config);
    let stop = stop_signal();
    let listener = TcpListener::bind(config.addr)
        .await
        .map_err(|e| Fail::new(format!("cannot listen on {}: {e}", config.addr)))?;
    let mut running = Running::open(&config).await?;
    let born = match read_born(&config.data)? {
        Some(born) => born,
        None => give_birth(&running.city, &config.data).await?,
    };
    running.start();
    print(&config, &born);
    listen(listener, running.city.clone(), &config, running.stop_after(stop)).await?;
    running.close().await;
    Ok(())
}

fn read_born(data: &Path) -> Result<Option<Born>, Fail> {
    let path = data.join("demo.json");
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&std::fs::read(path)?)?))
}

/// Makes residents, shops, keys, money and bills. Every step can be done again: a birth that was
/// interrupted goes on at the next start.
async fn give_birth(city: &City, data: &Path) -> Result<Born, Fail> {
    let key = identity::bootstrap_operator(city, "demo").await?.secret;
    let operator = identity::authenticate_operator(city, &key).await?;
    for (phone, name, tier, yuan) in RESIDENTS {
        let resident =
            identity::enrol(city, &operator, ResidentId::new(city.now(), &*city.rng), phone, name).await?;
        identity::raise_tier(city, &operator, resident.id, tier).await?;
        let reference = format!("demo-{phone}");
        city::wallet::deposit(city, &operator, resident.id, Money::fen(yuan * 100), &reference).await?;
    }
    let mut shops = Vec::new();
    for (reference, name, mcc) in SHOPS {
        shops.push(open_shop(city, &operator, reference, name, mcc).await?);
    }
    import_samples(city, data).await?;
    let second_operator = Some(identity::bootstrap_operator(city, "demo 2").await?.secret);
    let born = Born { operator: key, second_operator, shops };
    let text = serde_json::to_vec_pretty(&born)?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(data.join("demo.json"))?;
    file.write_all(&text)?;
    Ok(born)
}

/// Hands in the bill file of each shipped biller. The same file twice changes nothing.
async fn import_samples(city: &City, data: &Path) -> Result<(), Fail> {
    let dir = data.join("samples");
    std::fs::create_dir_all(&dir)?;
    let packs = city::bill::billers(city, &city::bill::BillerFilter::default()).await?;
    for sample in SAMPLES {
        let Some(pack) = packs.iter().find(|p| p.spec.id == sample.pack) else { continue };
        let path = dir.join(sample.file);
        std::fs::write(&path, sample.bytes)?;
        city::bill::import_path(city, pack.biller, &path, sample.file, |_| {}).await?;
    }
    Ok(())
}

async fn open_shop(
    city: &City,
    operator: &Operator,
    reference: &str,
    name: &str,
    mcc: &str,
) -> Result<(String, String, String), Fail> {
    let request = OpenShop {
        reference: reference.to_owned(),
        name: name.to_owned(),
        legal_id: None,
        mcc: mcc.to_owned(),
        city: "杭州".to_owned(),
        region: "330100".to_owned(),
    };
    let shop = city::merchant::open(city, operator, request).await?;
    let owner = shop.id.as_u128();
    let key = identity::create_key(city, OwnerKind::Merchant, owner, Role::Admin, None, "demo").await?;
    Ok((name.to_owned(), shop.id.to_string(), key.secret))
}

fn print(config: &Config, born: &Born) {
    let at = format!("http://{}", config.addr);
    println!("\nYima demo city, data in {}\n", config.data.display());
    println!(
        "  look         {at}/  residents   {at}/till/  shops   {at}/console/  operators   {at}/docs  the API\n"
    );
    println!("  residents    sign in with the phone; the one-time code is printed here");
    for (phone, name, tier, yuan) in RESIDENTS {
        println!("    {phone}  {name}  tier {}  {yuan} yuan at birth", tier.number());
    }
    println!("\n  shops        the key signs in at the till; programs send authorization: Bearer …");
    for (name, id, key) in &born.shops {
        println!("    {name}  {id}\n      {key}");
    }
    println!(
        "\n  operator     the key signs in at the console, and is what programs send\n      {}",
        born.operator
    );
    if let Some(second) = &born.second_operator {
        println!("    another, who may approve what the first asks for\n      {second}");
    }
    println!();
    println!("  try          curl -s {at}/v1/billers");
    println!(
        "               curl -s {at}/v1/sign-in/code -H 'content-type: application/json' -d '{{\"phone\":\"13800000001\"}}'"
    );
    println!("\n  Ctrl-C stops it; nothing acknowledged is lost.\n");
}
